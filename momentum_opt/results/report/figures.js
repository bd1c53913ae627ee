// Draws every figure of the page from its Vega-Lite views, and joins them: one range of time, one picked trial.
(async () => {
  const plots = JSON.parse(document.getElementById("plots").textContent);
  const views = new Map(); // place on the page → Vega view
  const options = { renderer: "svg", actions: false, defaultStyle: false, tooltip: { theme: "page", disableDefaultStyle: true } };
  const signals = (view, pattern) => Object.keys(view.getState({ signals: () => true, data: () => false }).signals).filter(name => pattern.test(name));

  let shown = null; // the range of time of all figures, as milliseconds; null is all of it
  const same = (one, other) => one === other || Boolean(one && other && +one[0] === +other[0] && +one[1] === +other[1]);
  const showTime = range => {
    shown = range;
    for (const one of views.values()) if (one.zoom && !same(one.view.signal(one.zoom), range)) one.view.signal(one.zoom, range).runAsync();
  };
  const move = (one, factor, shift) => {
    const [low, high] = (shown || one.view.scale("x").domain()).map(Number);
    const middle = (low + high) / 2 + shift * (high - low), half = factor * (high - low) / 2;
    showTime([middle - half, middle + half]);
  };
  const reset = one => {
    if (one.zoom) showTime(null);
    for (const name of one.spans) one.view.signal(name, null);
    if (one.brush) unbrush(one), choose(null);
    one.view.runAsync();
  };

  const trials = one => one.view.data("trials").map(row => Object.fromEntries(Object.entries(row).map(([name, text]) => [name, Number(text)])));
  const pick = number => {
    for (const one of views.values()) {
      if (!one.trial) continue;
      one.view.signal("picked", number).runAsync();
      const datum = trials(one).find(row => row.number === number);
      const words = one.trial.map(({ field, title, format }) => {
        const value = datum && datum[field];
        return `${title} ${Number.isFinite(value) ? one.view.locale().format(format)(value) : "–"}`;
      });
      one.place.closest("figure").querySelector(".picked").textContent = datum ? words.join(" · ") : "";
    }
    if (list) list.mark(number);
  };
  const unbrush = one => one.view.signal(`${one.brush}_x`, [0, 0]).signal(`${one.brush}_y`, [0, 0]);
  const choose = numbers => { // of the trials that were brushed; null is all of them
    const chosen = numbers && Object.fromEntries(numbers.map(number => [number, true]));
    for (const one of views.values()) if (one.trial) one.view.signal("chosen", chosen).runAsync();
    if (list) list.show(chosen);
  };
  const brushed = (one, spans) => {
    const fields = Object.entries(spans || {});
    if (!fields.length) return choose(null);
    for (const other of views.values()) if (other.brush && other !== one) unbrush(other).runAsync();
    const inside = row => fields.every(([name, [a, b]]) => row[name] >= Math.min(a, b) && row[name] <= Math.max(a, b));
    choose(trials(one).filter(inside).map(row => row.number));
  };

  // The table of trials: of the first figure that has them all, sorted by a column, a page of rows at a time.
  const listOf = (one, box) => {
    const rows = trials(one), body = box.querySelector("tbody"), head = box.querySelector("thead tr"), page = 15;
    let chosen = null, by = one.trial[1].field, down = box.dataset.bestLast !== "true", most = page, here = null;
    const write = ({ field, format }, row) => Number.isFinite(row[field]) ? one.view.locale().format(format)(row[field]) : "–";
    const draw = () => {
      const order = (a, b) => (Number.isFinite(b[by]) - Number.isFinite(a[by])) || (down ? b[by] - a[by] : a[by] - b[by]) || a.number - b.number;
      const kept = rows.filter(row => !chosen || chosen[row.number]).sort(order), seen = kept.slice(0, most);
      body.replaceChildren(...seen.map(row => {
        const line = document.createElement("tr");
        line.classList.toggle("here", row.number === here);
        one.trial.forEach((column, at) => {
          const cell = line.appendChild(document.createElement(at ? "td" : "th"));
          if (at) cell.className = "number", cell.textContent = write(column, row);
          else cell.scope = "row", button(cell, write(column, row), () => pick(row.number));
        });
        return line;
      }));
      [...head.children].forEach((cell, at) => cell.setAttribute("aria-sort", one.trial[at].field !== by ? "none" : down ? "descending" : "ascending"));
      box.querySelector(".count").textContent = `${seen.length.toLocaleString("en")} of ${kept.length.toLocaleString("en")}${chosen ? " brushed" : ""}`;
      more.hidden = seen.length === kept.length;
    };
    one.trial.forEach(({ field, title }, at) => {
      const cell = head.appendChild(document.createElement("th"));
      cell.scope = "col";
      if (at) cell.className = "number";
      button(cell, title, () => { down = by === field ? !down : at > 0; by = field; draw(); });
    });
    const more = button(box.querySelector(".tools"), "More", () => { most += 5 * page; draw(); });
    draw();
    box.hidden = false;
    return {
      show: numbers => { chosen = numbers; most = page; draw(); },
      mark: number => { here = number; draw(); },
    };
  };
  let list = null;
  const step = (one, by) => {
    const numbers = trials(one).map(row => row.number);
    const at = numbers.indexOf(one.view.signal("picked"));
    pick(numbers[Math.min(numbers.length - 1, Math.max(0, at < 0 ? 0 : at + by))]);
  };

  const toggle = (one, place) => {
    const names = one.series && one.view.scale("color").domain();
    if (!names || place >= names.length) return;
    one.view.signal(`${one.series}_tuple`, { fields: one.view.signal(`${one.series}_tuple_fields`), values: [names[place]] }).runAsync();
  };

  const keys = (one, event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    if (/^[1-9]$/.test(event.key)) return toggle(one, Number(event.key) - 1), true;
    const time = { ArrowLeft: [1, -0.1], ArrowRight: [1, 0.1], "+": [0.8, 0], "=": [0.8, 0], "-": [1.25, 0] }[event.key];
    if (one.zoom && time) return move(one, ...time), true;
    if (one.trial && /^Arrow(Left|Right)$/.test(event.key)) return step(one, event.key === "ArrowLeft" ? -1 : 1), true;
    if (event.key === "0") return reset(one), true;
    return false;
  };

  async function drawn(place, spec) {
    const before = views.get(place);
    if (before) before.view.finalize();
    const { view } = await vegaEmbed(place, spec, options);
    const one = { place, view, trial: (spec.usermeta || {}).trial };
    [one.zoom] = signals(view, /^zoom_.*_time$/);
    one.spans = signals(view, /^span_.*_(number|train|validation|objective|o\d+)$/);
    [one.brush] = signals(view, /^brush_[a-z0-9]+$/);
    one.series = signals(view, /^shown_.*_tuple_fields$/).map(name => name.replace(/_tuple_fields$/, ""))[0];
    views.set(place, one);
    if (one.zoom) {
      if (shown) await view.signal(one.zoom, shown).runAsync();
      view.addSignalListener(one.zoom, (_, range) => { if (!same(range, shown)) showTime(range); });
    }
    if (one.brush) {
      let later = 0; // many events of one drag are one choice
      view.addSignalListener(one.brush, (_, spans) => { clearTimeout(later); later = setTimeout(() => brushed(one, spans), 30); });
      place.addEventListener("pointerdown", event => { if (one.selecting) Object.defineProperty(event, "shiftKey", { value: true }); }, true);
    }
    if (one.trial) view.addEventListener("click", (_, item) => { if (item && item.datum && "number" in item.datum) pick(item.datum.number); });
  }

  const logarithmic = (spec, log) => JSON.parse(JSON.stringify(spec), function (key, value) {
    if (key === "y" && value.scale) value.scale = log ? { type: "log" } : { zero: false };
    return value;
  });
  const button = (tools, text, act) => {
    const made = Object.assign(document.createElement("button"), { type: "button", textContent: text });
    made.addEventListener("click", () => act(made));
    return tools.appendChild(made);
  };

  for (const [key, specs] of Object.entries(plots)) {
    const figure = document.getElementById(`figure-${key}`), places = [...figure.querySelectorAll(".view")];
    for (const [at, spec] of specs.entries()) {
      await drawn(places[at], spec);
      places[at].addEventListener("keydown", event => { if (keys(views.get(places[at]), event)) event.preventDefault(); });
    }
    const first = () => views.get(places[0]), tools = figure.querySelector(".tools");
    if (first().zoom) {
      button(tools, "+", () => move(first(), 0.8, 0)).setAttribute("aria-label", "Zoom in");
      button(tools, "−", () => move(first(), 1.25, 0)).setAttribute("aria-label", "Zoom out");
    }
    const all = () => places.map(place => views.get(place));
    if (first().brush) {
      const made = button(tools, "Select", () => {
        for (const one of all()) one.selecting = !one.selecting;
        made.setAttribute("aria-pressed", Boolean(first().selecting));
      });
      made.setAttribute("aria-pressed", false);
    }
    if (first().zoom || first().trial) button(tools, "Reset", () => all().forEach(reset));
    const box = document.getElementById("trials");
    if (first().brush && box && !list && key === "history") list = listOf(first(), box);
    if ("log" in figure.dataset) {
      let log = figure.dataset.log === "true";
      const made = button(tools, "Log scale", async () => {
        log = !log;
        made.setAttribute("aria-pressed", log);
        await drawn(places[0], logarithmic(specs[0], log));
      });
      made.setAttribute("aria-pressed", log);
    }
    await new Promise(done => setTimeout(done)); // the page answers between two figures
  }
  document.documentElement.dataset.figures = "drawn";
})();
