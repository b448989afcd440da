"use strict";
(() => {
  const report = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;
  const suite = document.getElementById("suite");
  const shown = new Set(Object.keys(report.estimators).filter((name) => report.estimators[name].shown));
  const chosen = {};
  const touch = matchMedia("(pointer: coarse)").matches;
  const systemDark = matchMedia("(prefers-color-scheme: dark)");

  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : systemDark.matches);
  const css = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const visible = (name) => !(name in report.estimators) || shown.has(name);
  const style = (name) => report.estimators[name] || { light: "#6b6f76", dark: "#a7acb5", symbol: "circle", dash: "solid" };
  const colour = (name) => style(name)[isDark() ? "dark" : "light"];
  const seeThrough = (hex, alpha) => hex + Math.round(alpha * 255).toString(16).padStart(2, "0");
  const make = (tag, className, text) => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text) element.textContent = text;
    return element;
  };

  function styled(trace) {
    const { role, estimator, plain, columns } = trace.meta;
    const copy = { ...trace, showlegend: false };
    const own = estimator ? colour(estimator) : css("--accent");
    const look = style(estimator);
    if (role === "reference") {
      copy.line = { color: estimator ? seeThrough(own, 0.5) : css("--soft"), width: 1.2, dash: "dash" };
    } else if (role === "band") {
      copy.line = { width: 0 };
      copy.fillcolor = seeThrough(own, 0.13);
    } else if (role === "line") {
      copy.line = { color: own, width: 2, dash: look.dash };
      copy.marker = { color: own, size: 5, symbol: look.symbol };
    } else if (role === "point") {
      copy.marker = { size: 10, ...trace.marker, color: own, symbol: plain ? "circle" : look.symbol };
    } else if (role === "bar") {
      copy.marker = { color: seeThrough(own, 0.8) };
    } else if (role === "heat") {
      copy.colorbar = { ...trace.colorbar, tickcolor: css("--soft") };
    }
    for (const error of ["error_x", "error_y"]) if (trace[error]) copy[error] = { ...trace[error], color: own };
    if (columns) {
      const kept = trace.x.map((name, place) => (visible(name) ? place : -1)).filter((place) => place >= 0);
      copy.x = kept.map((place) => trace.x[place]);
      for (const key of ["z", "text"]) copy[key] = trace[key].map((line) => kept.map((place) => line[place]));
    }
    return role === "heat" ? heatWithWords(copy, SCALES[isDark() ? "dark" : "light"]) : [copy];
  }

  function laidOut(panel, traces, width) {
    const { meta = {}, ...layout } = panel.layout;
    const narrow = width < 480;
    const along = (letter) => traces.flatMap((trace) => trace[letter] || []);
    const names = (letter) => [...new Set(along(letter).filter((value) => typeof value === "string"))];
    // With the ends of bars.
    const reached = (letter) => traces.flatMap((trace) => {
      const { array = [], arrayminus = array } = trace[`error_${letter}`] || {};
      return (trace[letter] || []).flatMap((value, place) => [value - (arrayminus[place] || 0), value, value + (array[place] || 0)]);
    });
    const letters = narrow ? 17 : 32;
    const longest = Math.max(6, ...names("y").map((name) => Math.min(name.length, letters)));
    // Beside the labels of the other axis and its title.
    const length = Math.max(width - LETTER * longest - 34, 60), room = Math.max(2, Math.floor(length / NUMBER));
    const axis = (letter, given = {}) => {
      const numbers = letter === "x" ? Math.min(room, 8) : 8;
      const named = names(letter), fitting = Math.floor((length + 20) / LETTER);
      return {
        gridcolor: css("--grid"), linecolor: css("--line"), zerolinecolor: css("--line"), automargin: true,
        ticks: "", fixedrange: touch, tickangle: 0,
        ...(named.length
          ? { tickvals: named, ticktext: named.map((name) => (letter === "x" ? inLines(name, 24, 1) : inLines(name, letters, narrow ? 2 : 1))) }
          : { nticks: Math.min(numbers, 6) }),
        ...given, ...(given.type === "log" ? logTicks(reached(letter), numbers) : {}),
        title: {
          ...given.title, standoff: 8, font: { size: 12, color: css("--soft") },
          ...(letter === "x" && given.title ? { text: inLines(given.title.text, fitting, 3) } : {}),
        },
      };
    };
    const yaxis = axis("y", layout.yaxis), xaxis = axis("x", layout.xaxis);
    const row = yaxis.ticktext && yaxis.ticktext.some((name) => name.includes("<br>")) ? 10 : 0;
    if (yaxis.categoryarray) {
      const rows = new Set(traces.flatMap((trace) => trace.y));
      yaxis.categoryarray = yaxis.categoryarray.filter((name) => rows.has(name));
      yaxis.range = [-0.6, yaxis.categoryarray.length - 0.4];
      layout.height = 84 + (meta.row + row) * Math.max(yaxis.categoryarray.length, 1);
    }
    const heat = traces.find((trace) => trace.type === "heatmap");
    if (heat) {
      // Words would widen the axes beyond the cells.
      delete yaxis.autorange;
      layout.height += row * heat.y.length;
      yaxis.range = [heat.y.length - 0.5, -0.5];
      xaxis.range = [-0.5, heat.x.length - 0.5];
    }
    const shapes = (layout.shapes || []).map(({ meta: role, ...shape }) => ({
      ...shape, layer: "below",
      ...(role === "band"
        ? { fillcolor: seeThrough(colour(panel.estimator), 0.15), line: { width: 0 } }
        : { line: { color: css("--soft"), width: 1.2, dash: "dash" } }),
    }));
    return {
      ...layout, shapes, yaxis, xaxis,
      margin: { l: 8, r: 12, t: 10, b: 8 }, autosize: true, dragmode: touch ? false : "zoom", hovermode: "closest",
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: css("--ink") },
      hoverlabel: { bgcolor: css("--card"), bordercolor: css("--line"), font: { color: css("--ink"), size: 12 } },
    };
  }

  const waiting = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      waiting.unobserve(entry.target);
      draw(entry.target);
    }
  }, { rootMargin: "600px 0px" });

  function draw(place) {
    const { panel } = place;
    const traces = panel.traces.filter((trace) => !trace.meta.estimator || visible(trace.meta.estimator)
      || trace.meta.estimator === panel.estimator).flatMap(styled);
    Plotly.react(place, traces, laidOut(panel, traces, place.clientWidth), { displayModeBar: false, responsive: true, displaylogo: false });
    place.dataset.drawn = "yes";
  }

  function panelOf(panel) {
    const element = make("div", "panel");
    if (panel.title) element.append(make("h3", "", panel.title));
    if (panel.note) element.append(make("p", "note", panel.note));
    const scroll = make("div", "scroll"), place = make("div", "plot");
    place.panel = panel;
    const { wide } = panel.layout.meta || {};
    const columns = panel.traces.find((trace) => trace.meta.columns);
    const share = columns ? (columns.x.filter(visible).length + 1) / (columns.x.length + 1) : 1;
    if (wide) place.style.minWidth = `${Math.round(260 + (wide - 260) * share)}px`;
    place.style.minHeight = `${panel.layout.height || 150}px`;
    scroll.append(place);
    element.append(scroll);
    waiting.observe(place);
    return element;
  }

  function choiceOf(figure, key, panels, refresh) {
    const names = [...new Set(figure.panels.map((panel) => panel.estimator))];
    if (!names.includes(chosen[key])) chosen[key] = names[0];
    const label = make("label", "pick", "Estimator "), select = make("select");
    for (const name of names) {
      const option = make("option", "", name);
      option.selected = name === chosen[key];
      select.append(option);
    }
    select.addEventListener("change", () => { chosen[key] = select.value; refresh(); });
    label.append(select);
    return label;
  }

  function figureOf(figure, key, refresh) {
    const element = make("figure", "card");
    element.append(make("figcaption", "", figure.sentence));
    if (figure.choice) element.append(choiceOf(figure, key, figure.panels, refresh));
    const panels = figure.panels.filter((panel) => (figure.choice ? panel.estimator === chosen[key] : !panel.estimator || visible(panel.estimator)));
    const small = figure.panels.some((panel) => panel.estimator);
    const wide = figure.panels.some((panel) => panel.layout.meta && panel.layout.meta.wide);
    if (small || wide || figure.panels.length > 1) element.classList.add("full");
    const grid = make("div", `panels ${small ? "many" : "few"}`);
    grid.append(...panels.map(panelOf));
    element.append(grid);
    return element;
  }

  function fill(holder) {
    const key = holder.dataset.section, section = report.sections[key];
    if (!section) return;
    for (const place of holder.querySelectorAll(".plot")) { waiting.unobserve(place); Plotly.purge(place); }
    const figures = [...(section.figures[suite.value] || []), ...(section.figures["*"] || [])];
    const cards = figures.map((figure) => figureOf(figure, key, () => fill(holder)));
    let alone = [];
    for (const card of [...cards, null]) {
      if (card && !card.classList.contains("full")) alone.push(card);
      else { if (alone.length % 2) alone.at(-1).classList.add("full", "lone"); alone = []; }
    }
    holder.replaceChildren(...cards);
    if (!figures.length) holder.append(make("p", "none", section.absent));
  }

  function filterTables() {
    for (const row of document.querySelectorAll("tbody tr")) {
      const { suite: of, estimator } = row.dataset;
      row.hidden = !((of === "*" || of === suite.value) && visible(estimator));
    }
  }

  function refresh() {
    document.querySelectorAll(".figures").forEach(fill);
    filterTables();
  }

  const svg = (name, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const key in attributes) element.setAttribute(key, attributes[key]);
    return element;
  };
  const SHAPES = { circle: "M6 2a4 4 0 1 0 .01 0z", diamond: "M6 1l5 5-5 5-5-5z", square: "M2 2h8v8h-8z", cross: "M4 1h4v3h3v4h-3v3h-4v-3h-3v-4h3z" };

  function chips() {
    const holder = document.getElementById("chips");
    holder.replaceChildren(...Object.keys(report.estimators).map((name) => {
      const chip = make("button", "chip"), mark = svg("svg", { width: 12, height: 12, "aria-hidden": "true" });
      const open = style(name).symbol.endsWith("-open"), own = colour(name);
      mark.append(svg("path", { d: SHAPES[style(name).symbol.replace("-open", "")], fill: open ? "none" : own, stroke: own, "stroke-width": open ? 2 : 0 }));
      chip.type = "button";
      chip.setAttribute("aria-pressed", String(shown.has(name)));
      chip.append(mark, name);
      chip.addEventListener("click", () => {
        if (shown.has(name)) shown.delete(name); else shown.add(name);
        chip.setAttribute("aria-pressed", String(shown.has(name)));
        every();
        refresh();
      });
      return chip;
    }));
    every();
  }

  function every() {
    const all = shown.size === Object.keys(report.estimators).length;
    document.getElementById("every").textContent = all ? "None" : "All";
  }

  document.getElementById("every").addEventListener("click", () => {
    const names = Object.keys(report.estimators);
    if (shown.size === names.length) shown.clear(); else names.forEach((name) => shown.add(name));
    chips();
    refresh();
  });

  function sort(header) {
    const table = header.closest("table"), headers = [...header.parentNode.children], column = headers.indexOf(header);
    const up = header.getAttribute("aria-sort") !== "ascending";
    headers.forEach((other) => other.removeAttribute("aria-sort"));
    header.setAttribute("aria-sort", up ? "ascending" : "descending");
    const value = (row) => row.children[column].dataset.value;
    const rows = [...table.tBodies[0].rows];
    const numeric = rows.every((row) => value(row) === "" || !Number.isNaN(Number(value(row))));
    rows.sort((one, other) => {
      const first = value(one), second = value(other);
      // What has no value stays below, whichever way the rest is sorted.
      if (first === "" || second === "") return (first === "") - (second === "");
      const order = numeric ? Number(first) - Number(second) : first.localeCompare(second);
      return up ? order : -order;
    });
    table.tBodies[0].append(...rows);
  }

  for (const header of document.querySelectorAll("th")) header.querySelector("button").addEventListener("click", () => sort(header));
  document.getElementById("theme").addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    chips();
    refresh();
  });
  systemDark.addEventListener("change", () => { chips(); refresh(); });
  suite.addEventListener("change", refresh);
  chips();
  refresh();
  root.dataset.ready = "yes";
})();
