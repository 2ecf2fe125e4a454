"""Faulty space files, and how what is said of each begins."""

from __future__ import annotations

HEAD = 'schema = 1\nname = "x"\nresolution = [24, 32]\n'
ONE = "[[stage]]\nwidth = [16, 24]\n"
ONE_OPTION = "[24, 32]"

TOP_LEVEL: dict[str, tuple[str, str]] = {
    "unknown key": (
        HEAD + "resolutions = 3\n" + ONE,
        'the file: unknown key "resolutions"; did you mean "resolution"?',
    ),
    "unknown key, none near": (
        HEAD + "zzz = 3\n" + ONE,
        'the file: unknown key "zzz"; known keys: schema, name, resolution, width_multiplier,'
        " bn_eps, divisor, round_hidden, stem, head, defaults, stage",
    ),
    "unknown key of a stage": (
        HEAD + ONE + "kernal = 3\n",
        'stage 1: unknown key "kernal"; did you mean "kernel"?',
    ),
    "unknown key of a later stage": (
        HEAD + ONE + ONE + ONE + "expantion = 3\n",
        'stage 3: unknown key "expantion"; did you mean "expansion"?',
    ),
    "unknown key of the defaults": (
        HEAD + "[defaults]\nactivations = 3\n" + ONE,
        'defaults: unknown key "activations"; did you mean "activation"?',
    ),
    "unknown key of the stem": (
        HEAD + "stem = { kernel = 5 }\n" + ONE,
        'stem: unknown key "kernel"; known keys: width, stride, activation',
    ),
    "unknown key of the head": (
        HEAD + "head = { drop_out = 0.1 }\n" + ONE,
        'head: unknown key "drop_out"; did you mean "dropout"?',
    ),
    "no resolution": (ONE, "resolution: missing; say for example resolution = [24, 32]"),
    "no stages": (HEAD, "stage: missing; a space needs at least one [[stage]]"),
    "empty stages": (HEAD + "stage = []", "stage: missing; a space needs at least one [[stage]]"),
    "no width": (
        HEAD + ONE + "[[stage]]\ndepth = 2\n",
        "stage 2: width is missing; say for example width = [24, 32]",
    ),
    "unknown schema": (
        HEAD.replace("schema = 1", "schema = 2") + ONE,
        "schema = 2: this version of mbnas reads 1",
    ),
    "schema of another type": (
        HEAD.replace("schema = 1", "schema = true") + ONE,
        "schema = true: this version of mbnas reads 1",
    ),
    "schema as a text": (
        HEAD.replace("schema = 1", 'schema = "1"') + ONE,
        'schema = "1": this version of mbnas reads 1',
    ),
    "name of another type": (HEAD.replace('"x"', "3") + ONE, "name = 3: must be a text"),
    "empty name": (HEAD.replace('"x"', '""') + ONE, 'name = "": must be a text'),
    "name of a place": (HEAD.replace('"x"', '"../x"') + ONE, 'name = "../x": must be a text fit'),
    "name of points": (HEAD.replace('"x"', '".."') + ONE, 'name = "..": must be a text fit'),
    "long name": (HEAD.replace('"x"', f'"{51 * "x"}"') + ONE, f'name = "{51 * "x"}": must be'),
    "defaults of another type": (
        HEAD + "defaults = 3\n" + ONE,
        "defaults = 3: must be a table",
    ),
    "stem of another type": (HEAD + 'stem = "x"\n' + ONE, 'stem = "x": must be a table'),
    "head of another type": (HEAD + "head = [1, 2]\n" + ONE, "head = [1, 2]: must be a table"),
    "stage of another type": (
        HEAD + 'stage = "x"\n',
        'stage = "x": must be tables, each headed [[stage]]',
    ),
    "one pair of brackets": (
        HEAD + "[stage]\nwidth = 3\n",
        "stage = { width = 3 }: must be tables, each headed [[stage]]",
    ),
    "a stage that is no table": (
        HEAD + "stage = [{ width = 3 }, 4]\n",
        "stage 2 = 4: must be a table",
    ),
    "a date": (
        HEAD.replace(ONE_OPTION, "1979-05-27") + ONE,
        "resolution = 1979-05-27: must be a whole number of at least 1",
    ),
}

FIELDS: dict[str, tuple[str, str]] = {
    "empty list": ("kernel = []", "kernel = []: a choice needs at least one option"),
    "even kernel": ("kernel = 4", "kernel = 4: must be odd, such as 3 or 5"),
    "even kernel among options": ("kernel = [3, 6]", "kernel = 6: must be odd, such as 5 or 7"),
    "kernel below one": (
        "kernel = -3",
        "kernel = -3: must be an odd whole number, such as 3 or 5",
    ),
    "endless kernel": (
        "kernel = 1001",
        "kernel = 1001: must be an odd whole number of at most 999",
    ),
    "text for a number": (
        'kernel = "3"',
        'kernel = "3": must be an odd whole number, such as 3 or 5',
    ),
    "real for a whole number": (
        "depth = 1.0",
        "depth = 1.0: must be a whole number of at least 1",
    ),
    "flag for a number": ("depth = true", "depth = true: must be a whole number of at least 1"),
    "no depth": ("depth = [1, 0]", "depth = 0: must be a whole number of at least 1"),
    "endless depth": ("depth = 1001", "depth = 1001: must be a whole number of at most 1000"),
    "list in a list": (
        "depth = [[1, 2], 3]",
        "depth = [1, 2]: must be a whole number of at least 1",
    ),
    "expansion below one": (
        "expansion = [0.5, 2]",
        "expansion = 0.5: must be a number at least 1 and at most 1000",
    ),
    "endless expansion": (
        "expansion = 1e308",
        "expansion = 1e+308: must be a number at least 1 and at most 1000",
    ),
    "infinite expansion": (
        "expansion = inf",
        "expansion = inf: must be a number at least 1 and at most 1000",
    ),
    "se_ratio above one": (
        "se_ratio = 25",
        "se_ratio = 25: must be a number at least 0 and at most 1",
    ),
    "no number": ("se_ratio = nan", "se_ratio = nan: must be a number at least 0 and at most 1"),
    "number for a text": (
        "activation = 6",
        "activation = 6: must be one of relu, relu6, hardswish, silu",
    ),
    "misspelled activation": (
        'activation = ["relu", "swish"]',
        'activation = "swish": must be one of relu, relu6, hardswish, silu; did you mean'
        ' "hardswish"?',
    ),
    "misspelled block": (
        'block = "mbconf"',
        'block = "mbconf": must be one of mbconv, fused_mbconv, depthwise_separable, identity;'
        ' did you mean "mbconv"?',
    ),
    "misspelled fusion": (
        'fusion = ["none", "atention"]',
        'fusion = "atention": fusion.type = "atention": must be one of none, concat,'
        ' weighted_sum, attention; did you mean "attention"?',
    ),
    "fusion of another type": ("fusion = 3", "fusion = 3: fusion = 3: must be a table"),
    "unknown key of a fusion": (
        'fusion = { type = "weighted_sum", alhpa = 0.5 }',
        'fusion = { type = "weighted_sum", alhpa = 0.5 }: unknown key "alhpa"; did you mean'
        ' "alpha"?',
    ),
    "alpha of a concat": (
        'fusion = { type = "concat", alpha = 0.5 }',
        'fusion = { type = "concat", alpha = 0.5 }: fusion.alpha = 0.5: goes with weighted_sum'
        " alone",
    ),
    "list of alphas": (
        'fusion = { type = "weighted_sum", alpha = [0.1, 0.2] }',
        'fusion = { type = "weighted_sum", alpha = [0.1, 0.2] }: fusion.alpha = [0.1, 0.2]: must'
        " be a number at least 0 and at most 1",
    ),
    "fusion from before the stem": (
        'fusion = "concat"\nfusion_from = [1, 2]',
        "fusion_from = 2: points before the stem; at most 1 here",
    ),
    "duplicate options": ("depth = [1, 2, 1]", "depth = [1, 2, 1]: 1 stands 2 times"),
    "duplicate spellings": (
        "se_ratio = [0, 0.25, 0.0, -0.0]",
        "se_ratio = [0, 0.25, 0.0, -0.0]: 0 stands 3 times",
    ),
    "duplicate tables": (
        'fusion = ["concat", { type = "concat", project = true }]',
        'fusion = ["concat", { type = "concat", project = true }]: "concat" stands 2 times',
    ),
    "table without a type": (
        "block = [{ expansion = 3 }]",
        'block = { expansion = 3 }: an option that is a table needs a "type"',
    ),
    "fusion table without a type": (
        "fusion = { alpha = 0.3 }",
        'fusion = { alpha = 0.3 }: an option that is a table needs a "type"',
    ),
    "empty table": ("depth = {}", 'depth = {}: an option that is a table needs a "type"'),
    "unknown key of a table": (
        'block = { type = "mbconv", expnsion = 3 }',
        'block = { type = "mbconv", expnsion = 3 }: unknown key "expnsion"; did you mean'
        ' "expansion"?',
    ),
    "table that names its own field": (
        'block = { type = "mbconv", block = "identity" }',
        'block = { type = "mbconv", block = "identity" }: unknown key "block"',
    ),
    "unknown type of a table": (
        'block = { type = "conv", kernel = 3 }',
        'block = "conv": must be one of mbconv, fused_mbconv, depthwise_separable, identity',
    ),
    "nested list in a table": (
        'block = { type = "mbconv", kernel = [3, 5] }',
        "block, kernel = [3, 5]: an option fixes its fields; write one option for each value",
    ),
    "wrong value in a table": (
        'block = { type = "mbconv", kernel = 2 }',
        "block, kernel = 2: must be odd, such as 1 or 3",
    ),
    "table in a table": (
        'block = { type = { type = "mbconv" } }',
        'block = { type = "mbconv" }: must be one of mbconv, fused_mbconv,',
    ),
    "a fusion from before the stem in a table": (
        'block = ["mbconv", { type = "identity", fusion = "concat", fusion_from = 4 }]',
        "fusion_from = 4: points before the stem; at most 1 here",
    ),
    "a field that two tables fix": (
        'block = ["identity", { type = "mbconv", kernel = 3 }]\n'
        'activation = ["silu", { type = "relu", kernel = 5 }]',
        "kernel: fixed by options of 2 fields; leave one",
    ),
    "line breaks": (
        'activation = "re\\nlu\\u2028\\u0085"',
        'activation = "re\\nlu\\u2028\\x85": must be one of relu, relu6, hardswish, silu',
    ),
}

NETWORK: dict[str, tuple[str, str]] = {
    "no resolution to choose from": (
        "resolution = []",
        "resolution = []: a choice needs at least one option",
    ),
    "resolution of nothing": (
        "resolution = [32, 0]",
        "resolution = 0: must be a whole number of at least 1",
    ),
    "resolution as a text": (
        'resolution = "32"',
        'resolution = "32": must be a whole number of at least 1',
    ),
    "endless resolution": (
        "resolution = 0x" + "f" * 5000,
        "resolution = 0xfff",
    ),
    "no multiplier": (
        "resolution = 32\nwidth_multiplier = [1, 0]",
        "width_multiplier = 0: must be a number above 0 and at most 1000",
    ),
    "endless multiplier": (
        "resolution = 32\nwidth_multiplier = 1e9",
        "width_multiplier = 1000000000.0: must be a number above 0 and at most 1000",
    ),
    "epsilon": (
        "resolution = 32\nbn_eps = 0.0",
        "bn_eps = 0.0: must be a number above 0 and at most 1",
    ),
    "divisor": (
        "resolution = 32\ndivisor = 0",
        "divisor = 0: must be a whole number of at least 1",
    ),
    "rounding": (
        "resolution = 32\nround_hidden = 1",
        "round_hidden = 1: must be true or false",
    ),
    "a whole part in a table": (
        "resolution = { type = 32, stem = { width = 8 } }",
        'resolution = { type = 32, stem = { width = 8 } }: unknown key "stem"',
    ),
    "all stages in a table": (
        "resolution = { type = 32, stages = [] }",
        'resolution = { type = 32, stages = [] }: unknown key "stages"',
    ),
    "stem's width": (
        "resolution = 32\nstem = { width = [8, 0] }",
        "stem, width = 0: must be a whole number of at least 1",
    ),
    "head's dropout": (
        "resolution = 32\nhead = { dropout = 1.0 }",
        "head, dropout = 1.0: must be a number at least 0 and at most 0.99",
    ),
    "stride of the stem on nothing": (
        "resolution = [1, 32]",
        "stem, stride = 2: its map is only 1×1 at resolution 1; lower a stride or raise the"
        " resolution",
    ),
}
