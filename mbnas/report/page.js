"use strict";
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const wide = matchMedia("(min-width: 900px)");
  const touch = matchMedia("(pointer: coarse)");
  const colours = read("dark-colours");
  const plots = [...document.querySelectorAll(".plot")];
  const front = document.getElementById("front");
  const picked = document.getElementById("picked");
  const texts = read("front-texts") ?? {};
  const config = {
    responsive: true,
    displaylogo: false,
    displayModeBar: !touch.matches,
    // Named one by one: others among Plotly's buttons send the figure to its cloud.
    modeBarButtons: [["zoom2d", "pan2d", "resetScale2d", "toImage"]],
    toImageButtonOptions: { format: "svg", filename: document.title },
  };
  const uncoloured = new Set(["x", "y", "hovertext", "customdata"]);
  const kinds = { i1: Int8Array, u1: Uint8Array, i2: Int16Array, u2: Uint16Array, i4: Int32Array };

  function read(id) {
    const element = document.getElementById(id);
    return element && JSON.parse(element.textContent);
  }

  // The figures come in light colours; on a dark page each colour is exchanged for its partner.
  function themed(value) {
    if (!dark.matches) return value;
    if (typeof value === "string") return colours[value] ?? value;
    if (Array.isArray(value)) return value.map(themed);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, uncoloured.has(key) ? item : themed(item)]),
    );
  }

  function draw(plot) {
    const figure =
      (wide.matches && read(`${plot.id}-wide`)) || read(`${plot.id}-figure`);
    // On a touch screen a finger on the plot scrolls the page; a drag would zoom instead.
    if (touch.matches) figure.layout.dragmode = false;
    if (!wide.matches) narrow(figure);
    plot.style.minHeight = `${figure.layout.height}px`;
    return Plotly.react(plot, themed(figure.data), themed(figure.layout), config);
  }

  // Little room: a long legend or a tall label would cover the plot; the panel below says it all.
  function narrow(figure) {
    if (figure.data.length > 8) figure.layout.showlegend = false;
    figure.layout.margin.r = 8;
    for (const trace of figure.data) {
      if (Array.isArray(trace.hovertext)) trace.hovertext = trace.hovertext.map(first);
    }
  }

  function first(text) {
    return text.split("<br>").slice(0, 3).join("<br>");
  }

  function plain(text) {
    const named = { lt: "<", gt: ">", amp: "&" };
    return text
      .replace(/<br>/g, "\n")
      .replace(/<\/?[bi]>/g, "")
      .replace(/&(lt|gt|amp);/g, (_, name) => named[name]);
  }

  // Whole numbers as Plotly's Python library packs them.
  function unpacked(values) {
    if (!values?.bdata) return values ?? [];
    const bytes = Uint8Array.from(atob(values.bdata), (letter) => letter.charCodeAt(0));
    return [...new kinds[values.dtype](bytes.buffer)];
  }

  function members() {
    const at = front.data.findIndex((trace) => trace.meta === "front");
    return { at, trials: at < 0 ? [] : unpacked(front.data[at].customdata) };
  }

  // Of a large study, only what matters is told at length; the others have what the plot says.
  function keep(trial, brief) {
    const [head, ...lines] = plain(texts[trial] ?? brief).split("\n");
    const title = document.createElement("strong");
    title.textContent = head;
    picked.replaceChildren(title, ["", ...lines].join("\n"));
    picked.hidden = false;
  }

  function show(trial) {
    const { at, trials } = members();
    keep(trial, `trial ${trial}`);
    Plotly.Fx.hover(front, [{ curveNumber: at, pointNumber: trials.indexOf(trial) }]);
  }

  function step(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const { trials } = members();
    if (!by || !trials.length) return;
    event.preventDefault();
    const at = trials.indexOf(Number(front.dataset.trial));
    const next = at < 0 ? (by > 0 ? 0 : trials.length - 1) : at + by;
    const trial = trials[Math.min(trials.length - 1, Math.max(0, next))];
    front.dataset.trial = trial;
    show(trial);
  }

  function redraw() {
    return Promise.all(plots.map(draw));
  }

  redraw().then(() => {
    front?.on("plotly_click", ({ points: [point] }) => {
      if (point.customdata !== undefined) keep(point.customdata, point.hovertext);
    });
    front?.addEventListener("keydown", step);
    document.documentElement.dataset.drawn = "true";
  });
  dark.addEventListener("change", redraw);
  wide.addEventListener("change", redraw);
  for (const button of document.querySelectorAll("button[data-trial]")) {
    button.addEventListener("click", () => {
      front.scrollIntoView({ block: "nearest" });
      show(Number(button.dataset.trial));
    });
  }
})();
