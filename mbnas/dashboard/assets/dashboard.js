"use strict";
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const wide = matchMedia("(min-width: 900px)");
  const touch = matchMedia("(pointer: coarse)");
  const texts = new Set(["x", "y", "hovertext", "customdata", "text", "ticktext"]);
  const nothing = { data: [], layout: { height: 0, xaxis: { visible: false }, yaxis: { visible: false } } };

  // The figures come in light colours; on a dark page each colour is exchanged for its partner.
  function exchanged(value, colours) {
    if (typeof value === "string") return colours[value] ?? value;
    if (Array.isArray(value)) return value.map((item) => exchanged(item, colours));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [
        key,
        texts.has(key) ? item : exchanged(item, colours),
      ]),
    );
  }

  function drawn(whole, scheme, colours, own) {
    const figure = (!wide.matches && whole.narrow) || whole;
    const copy = scheme === "dark" ? exchanged(figure, colours) : { ...figure };
    copy.layout = { ...copy.layout };
    if (own) own.style.height = `${figure.layout.height}px`;
    // On a touch screen a finger on the plot scrolls the page; a drag would zoom instead.
    if (touch.matches) copy.layout.dragmode = false;
    if (!wide.matches) {
      copy.layout.margin = { ...copy.layout.margin, r: 8 };
      if (copy.data.length > 8) copy.layout.showlegend = false;
    }
    if (own) zoomKept(own.querySelector(".js-plotly-plot")?.layout, copy.layout);
    return copy;
  }

  // Dash gives Plotly its own figure back after a zoom, which then counts as the figure's, not as
  // the reader's: so the next figure has to be given it too.
  function zoomKept(before, after) {
    if (!before || before.uirevision !== after.uirevision) return;
    for (const [name, axis] of Object.entries(before)) {
      if (/^[xy]axis\d*$/.test(name) && axis.autorange === false && after[name] && !after[name].range) {
        after[name] = { ...after[name], range: [...axis.range], autorange: false };
      }
    }
  }

  // The budget's line, and rings around what is opened or pinned.
  function overlay(ink, budget, marks, hasBudget) {
    const line = { color: ink, width: 1.5 };
    const shapes = (marks ?? []).map(({ x, y, kind }) => {
      const half = kind === "opened" ? 15 : 12;
      return {
        name: "overlay", type: kind === "opened" ? "circle" : "rect", line,
        xsizemode: "pixel", ysizemode: "pixel", xanchor: x, yanchor: y,
        x0: -half, x1: half, y0: -half, y1: half,
      };
    });
    if (hasBudget && budget) {
      shapes.push({
        name: "overlay", type: "line", line: { ...line, dash: "dot" },
        x0: budget, x1: budget, y0: 0, y1: 1, yref: "paper",
      });
    }
    return shapes;
  }

  // Only what differs is exchanged, so that what is read or scrolled stays as it is.
  function exchange(now, wanted) {
    const before = [...now.childNodes];
    const after = [...wanted.childNodes];
    after.forEach((child, at) => {
      const old = before[at];
      if (!old) now.append(child);
      else if (old.isEqualNode(child)) return;
      else if (isSameTag(old, child)) exchange(old, child);
      else old.replaceWith(child);
    });
    before.slice(after.length).forEach((child) => child.remove());
  }

  function isSameTag(one, other) {
    const both = [one, other];
    if (both.some((node) => node.nodeType !== Node.ELEMENT_NODE)) return false;
    const [bare, wanted] = both.map((node) => node.cloneNode(false));
    return bare.isEqualNode(wanted);
  }

  // A button for a trial keeps the focus where it comes to stand; all else, its place.
  function focusKept(element, change) {
    const found = () => [...element.querySelectorAll("button, summary, [tabindex]")];
    const held = document.activeElement;
    const at = found().indexOf(held);
    change();
    if (at < 0 || held.isConnected) return;
    const { trial } = held.dataset;
    const same = trial && element.querySelector(`button[data-trial="${trial}"]`);
    (same || found()[at])?.focus({ preventScroll: true });
  }

  function place(id) {
    return document.getElementById(id)?.closest(".plot");
  }

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.mbnas = {
    themed(figure, scheme, colours) {
      const id = dash_clientside.callback_context.outputs_list.id;
      const own = place(id);
      if (own) own.hidden = !figure;
      return figure ? drawn(figure, scheme, colours, own) : nothing;
    },

    front(figure, scheme, colours, budget, marks, across, cost) {
      if (!figure) return nothing;
      const copy = drawn(figure, scheme, colours, place("front"));
      copy.layout.shapes = [
        ...(copy.layout.shapes ?? []),
        ...overlay(copy.layout.font.color, budget, marks, across === cost),
      ];
      return copy;
    },

    // The same on a plot that stands: its marks, of which there may be thousands, stay as they are.
    overlaid(budget, marks, across, cost) {
      const plot = place("front")?.querySelector(".js-plotly-plot");
      if (plot?.data?.length) {
        const own = (plot.layout.shapes ?? []).filter((shape) => shape.name !== "overlay");
        const shapes = overlay(plot.layout.font.color, budget, marks, across === cost);
        Plotly.relayout(plot, { shapes: [...own, ...shapes] });
      }
      return dash_clientside.no_update;
    },

    // HTML of mbnas's own making; what comes from a study is escaped in it.
    put(html, id) {
      const element = document.getElementById(id);
      if (element && html !== undefined && html !== null) {
        const wanted = document.createElement("template");
        wanted.innerHTML = html;
        const open = [...element.querySelectorAll("details")].map((each) => each.open);
        focusKept(element, () => exchange(element, wanted.content));
        [...element.querySelectorAll("details")].forEach((each, at) => (each.open = !!open[at]));
      }
      return dash_clientside.no_update;
    },

    views(shown) {
      requestAnimationFrame(() => window.dispatchEvent(new Event("resize")));
      return dash_clientside.callback_context.outputs_list.map(
        (output) => output.id !== `view-${shown}`,
      );
    },
  };

  function tell(id, data) {
    dash_clientside.set_props(id, { data: { ...data, at: Date.now() } });
  }

  let told = "light";  // as the page comes; saying it again would draw everything again
  function scheme() {
    const now = dark.matches ? "dark" : "light";
    if (now !== told) dash_clientside.set_props("scheme", { data: now });
    told = now;
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button[data-trial]");
    if (button) tell("picked", { trial: Number(button.dataset.trial) });
  });
  document.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by && event.target.id === "front-walk") {
      event.preventDefault();
      tell("walked", { by });
    }
  });
  dark.addEventListener("change", scheme);
  wide.addEventListener("change", () => dash_clientside.set_props("scheme", { data: told }));
  // Dash gives its sliders no name, and says their values with all digits of a float.
  new MutationObserver(() => {
    for (const slider of document.querySelectorAll("[role=slider]")) {
      slider.ariaLabel = slider.closest("[role=group]")?.ariaLabel ?? null;
      slider.ariaValueText = String(Number(Number(slider.ariaValueNow).toPrecision(4)));
    }
  }).observe(document.body, { subtree: true, childList: true, attributeFilter: ["aria-valuenow"] });
  const ready = setInterval(() => {
    if (!document.getElementById("front") || !dash_clientside.set_props) return;
    clearInterval(ready);
    scheme();
  }, 50);
})();
