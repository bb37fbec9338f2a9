"use strict";
// The page works without this: every step is drawn. This moves one highlight along.
(() => {
  const clamp = (n, low, high) => Math.min(Math.max(n, low), high);

  class Case {
    constructor(root) {
      this.root = root;
      this.slider = root.querySelector("input[type=range]");
      this.steps = [...root.querySelectorAll(".step")];
      this.stripes = [...root.querySelectorAll(".stripe")];
      this.buttons = [...root.querySelectorAll("button[data-go]")];
      this.changes = this.steps.map((s) => JSON.parse(s.dataset.changed));
      this.slider.addEventListener("input", () => this.show(Number(this.slider.value)));
      for (const b of this.buttons) {
        b.addEventListener("click", () => this.go(Number(b.dataset.go)));
      }
      this.steps.forEach((step, k) => this.listen(step, k + 1));
      root.querySelector(".lanes").addEventListener("keydown", (e) => this.key(e));
      this.show(this.steps.length);
    }

    listen(step, number) {
      step.addEventListener("click", () => this.focus(number));
      step.addEventListener("focus", () => this.show(number));
      step.addEventListener("mouseenter", () => this.peek(step, true));
      step.addEventListener("mouseleave", () => this.peek(step, false));
    }

    key(event) {
      const to = {
        ArrowUp: this.at - 1, ArrowLeft: this.at - 1, ArrowDown: this.at + 1,
        ArrowRight: this.at + 1, Home: 1, End: this.steps.length,
      }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      this.focus(to);
    }

    go(by) { this.show(this.at + by); }

    focus(number) {
      this.show(number);
      this.steps[this.at - 1].focus();
    }

    show(number) {
      this.at = clamp(number, 1, this.steps.length);
      const step = this.steps[this.at - 1];
      this.steps.forEach((s, k) => {
        const here = k === this.at - 1;
        s.setAttribute("aria-selected", String(here));
        s.setAttribute("tabindex", here ? "0" : "-1");
        this.stripes[k].classList.toggle("current", here);
      });
      this.veil();
      const told = step.getAttribute("aria-label");
      this.slider.value = String(this.at);
      this.slider.setAttribute("aria-valuetext", told);
      this.root.querySelector(".now").textContent = told;
      this.buttons[0].disabled = this.at === 1;
      this.buttons[1].disabled = this.at === this.steps.length;
      this.line(step, "current");
      this.state();
    }

    veil() {
      const here = this.stripes[this.at - 1];
      const curtain = this.root.querySelector(".curtain");
      const bottom = here.y.baseVal.value + here.height.baseVal.value;
      const last = this.stripes[this.stripes.length - 1];
      curtain.setAttribute("y", String(bottom + 1));
      const end = last.y.baseVal.value + last.height.baseVal.value;
      curtain.setAttribute("height", String(Math.max(0, end - bottom)));
    }

    // Marks the line of a step; one without a line of its own shows what the trace rests on.
    line(step, mark) {
      for (const l of this.root.querySelectorAll(`.line.${mark}`)) l.classList.remove(mark);
      const main = this.root.querySelector("mark.main");
      const line = document.getElementById(step.dataset.place) || (main && main.closest(".line"));
      if (!line) return;
      line.classList.add(mark);
      const lines = line.closest(".lines");
      const top = line.offsetTop - lines.clientHeight / 3;
      if (line.offsetTop < lines.scrollTop ||
          line.offsetTop + line.offsetHeight > lines.scrollTop + lines.clientHeight) {
        lines.scrollTop = Math.max(0, top);
      }
    }

    peek(step, on) {
      if (on) this.line(step, "peek");
      else for (const l of this.root.querySelectorAll(".line.peek")) l.classList.remove("peek");
    }

    state() {
      const names = [...new Set(this.changes.flat().map(([name]) => name))].sort();
      const list = this.root.querySelector(".state");
      list.hidden = names.length === 0;
      list.replaceChildren(...names.flatMap((name) => this.entry(name)));
    }

    entry(name) {
      const term = document.createElement("dt");
      const value = document.createElement("dd");
      const past = this.changes.slice(0, this.at).flat().filter(([n]) => n === name);
      const now = this.changes[this.at - 1].some(([n]) => n === name);
      term.textContent = name;
      value.textContent = past.length ? past[past.length - 1][1] : "as at boot";
      value.classList.toggle("fresh", now);
      return [term, value];
    }
  }

  const open = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target instanceof HTMLDetailsElement) {
      target.open = true;
      if (target.matches(".case")) begin(target);
      target.scrollIntoView();
    }
  };

  const printing = () => {
    const shut = [...document.querySelectorAll("details:not([open])")]
      .filter((d) => !d.closest(".schedules"));
    for (const d of shut) d.open = true;
    window.addEventListener("afterprint", () => {
      for (const d of shut) d.open = false;
    }, { once: true });
  };

  // A page may hold a hundred schedules: each begins to listen when it is first unfolded.
  const cases = [];
  const begun = new Set();
  const begin = (details) => {
    if (!details.open || begun.has(details)) return;
    begun.add(details);
    cases.push(new Case(details.querySelector(".body")));
  };
  const visible = () => cases.find((c) => {
    const place = c.root.getBoundingClientRect();
    return place.height > 0 && place.bottom > 0 && place.top < window.innerHeight;
  });
  document.addEventListener("keydown", (e) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
    if (by === undefined || document.activeElement !== document.body) return;
    const shown = visible();
    if (shown) {
      e.preventDefault();
      shown.go(by);
    }
  });
  for (const details of document.querySelectorAll(".case")) {
    begin(details);
    details.addEventListener("toggle", () => begin(details));
  }
  window.addEventListener("hashchange", open);
  window.addEventListener("beforeprint", printing);
  if (location.hash) open();
})();
