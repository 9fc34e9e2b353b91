// The map of features: points to move over, look at and choose from. What is chosen goes into the page's form, which the server answers.
import { MapPlane } from "./map-plane.js";

class FeatureMap extends HTMLElement {
  static observedAttributes = ["by", "inks", "only", "region"];

  #canvas;
  #data;
  #plane;
  #inks;
  #colours;
  #above;
  #due = 0;
  #saying = 0;
  #pointers = new Map();
  #drag;
  #near = -1;
  #shown = -1;
  #isShowing = false;
  #left = new AbortController();

  async connectedCallback() {
    this.#left = new AbortController();
    const { signal } = this.#left;
    const map = await this.#load(signal);
    if (!map) return;
    this.#canvas = this.querySelector("canvas");
    if (!this.#canvas) {
      // The page was written while the map was being made.
      location.reload();
      return;
    }
    this.#data = {
      rows: map.rows && Int32Array.from(map.rows),
      x: Uint16Array.from(map.x),
      y: Uint16Array.from(map.y),
      labels: Int32Array.from(map.labels),
      splits: Int32Array.from(map.splits),
      tested: Int32Array.from(map.tested),
    };
    this.#plane = new MapPlane(this.#canvas, this.#data.x, this.#data.y);
    this.#listen(signal);
  }

  disconnectedCallback() {
    this.#left.abort();
    cancelAnimationFrame(this.#due);
    this.#due = 0;
  }

  attributeChangedCallback() {
    this.#inks = this.#colours = this.#above = undefined;
    this.#ask();
  }

  /** The map, as soon as it is made. */
  async #load(signal) {
    try {
      for (;;) {
        const response = await fetch(`api/v1/runs/${this.getAttribute("run")}/map`, { signal });
        if (response.status === 200) return await response.json();
        if (response.status !== 202) throw new Error(`the service answered ${response.status}`);
        await new Promise((resolve) => setTimeout(resolve, 1000 * (response.headers.get("Retry-After") ?? 5)));
      }
    } catch (error) {
      if (!signal.aborted) this.#say(`The map cannot be read: ${error.message}.`);
    }
  }

  #listen(signal) {
    const on = (target, name, act, options) => target.addEventListener(name, act, { signal, ...options });
    on(this.#canvas, "pointerdown", (event) => this.#press(event));
    on(this.#canvas, "pointermove", (event) => this.#move(event));
    on(this.#canvas, "pointerup", (event) => this.#release(event));
    on(this.#canvas, "pointercancel", (event) => this.#release(event));
    on(this.#canvas, "pointerleave", () => this.#look(-1));
    on(this.#canvas, "keydown", (event) => this.#type(event));
    on(this.#canvas, "wheel", (event) => this.#turn(event), { passive: false });
    on(this, "click", (event) => this.#do(event.target.closest("[data-do]")?.dataset.do));
    const repaint = () => {
      this.#colours = undefined;
      this.#ask();
    };
    on(matchMedia("(prefers-color-scheme: dark)"), "change", repaint);
    const themes = new MutationObserver(repaint);
    themes.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    const sizes = new ResizeObserver(() => {
      this.#plane.resize();
      this.#ask();
    });
    sizes.observe(this.#canvas);
    signal.addEventListener("abort", () => {
      themes.disconnect();
      sizes.disconnect();
    });
  }

  #ask() {
    if (this.#plane) this.#due ||= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#due = 0;
    const { x, labels, tested } = this.#data;
    const [by, only] = [this.getAttribute("by"), Number(this.getAttribute("only"))];
    const isAbove = (i) => (only >= 0 ? labels[i] === only : by === "tested" && tested[i] === 2);
    this.#above ??= Uint8Array.from(x, (_, i) => isAbove(i));
    this.#colours ??= this.#readColours();
    const { length } = this.#colours;
    // The last colour is that of points that step back.
    this.#inks ??= Uint8Array.from(x, (_, i) => (only >= 0 && !isAbove(i) ? length - 1 : Math.max(0, this.#data[by][i]) % (length - 1)));
    const inView = this.#plane.draw(this.#inks, this.#colours, this.#above);
    this.#frame();
    clearTimeout(this.#saying);
    this.#saying = setTimeout(() => this.#say(`${inView.toLocaleString("en")} of ${x.length.toLocaleString("en")} images in view`), 300);
  }

  /** The theme's colours as pixels have them. */
  #readColours() {
    const style = getComputedStyle(this);
    return [...this.getAttribute("inks").split(" "), "--point-none"].map((name) => {
      const [red, green, blue] = style.getPropertyValue(name).match(/[0-9a-f]{2}/gi).map((part) => parseInt(part, 16));
      return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
    });
  }

  /** The rectangle that is chosen or being drawn, and the ring around the point that is looked at. */
  #frame() {
    const place = (element, [left, top], [right, bottom]) => {
      const lengths = { left: Math.min(left, right), top: Math.min(top, bottom), width: Math.abs(right - left), height: Math.abs(bottom - top) };
      for (const [name, length] of Object.entries(lengths)) element.style[name] = `${length / this.#plane.ratio}px`;
    };
    const chosen = this.getAttribute("region")?.split(" ");
    const corners = this.#drag?.isChoosing ? [this.#drag.from, this.#drag.to] : chosen && [chosen.slice(0, 2), chosen.slice(2)].map((corner) => this.#plane.toCanvas(corner));
    const [region, ring] = [this.querySelector(".region"), this.querySelector(".ring")];
    region.hidden = !corners;
    if (corners) place(region, ...corners);
    ring.hidden = this.#near < 0;
    if (this.#near >= 0) {
      const centre = this.#plane.toCanvas([this.#data.x[this.#near], this.#data.y[this.#near]]);
      place(ring, centre, centre);
    }
  }

  #placeOf(event) {
    return [event.offsetX * this.#plane.ratio, event.offsetY * this.#plane.ratio];
  }

  #turn(event) {
    event.preventDefault();
    this.#plane.zoom(1.0015 ** -event.deltaY, this.#placeOf(event));
    this.#ask();
  }

  #press(event) {
    if (event.button !== 0) return;
    this.#canvas.setPointerCapture(event.pointerId);
    const place = this.#placeOf(event);
    this.#pointers.set(event.pointerId, place);
    const isChoosing = (this.querySelector("[data-do=choose]").ariaPressed === "true") !== event.shiftKey;
    this.#drag = this.#pointers.size === 1 ? { isChoosing, from: place, to: place } : undefined;
    if (event.pointerType !== "mouse") this.#look(this.#plane.find(place));
  }

  #move(event) {
    const place = this.#placeOf(event);
    const before = this.#pointers.get(event.pointerId);
    if (!before) {
      this.#look(this.#plane.find(place));
      return;
    }
    const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1];
    this.#pointers.set(event.pointerId, place);
    if (other) {
      // Two fingers: the map grows with the distance between them.
      const middle = [(place[0] + other[0]) / 2, (place[1] + other[1]) / 2];
      this.#plane.zoom(distance(place, other) / Math.max(1, distance(before, other)), middle);
    } else if (this.#drag?.isChoosing) {
      this.#drag.to = place;
    } else {
      this.#plane.pan(place[0] - before[0], place[1] - before[1]);
    }
    this.#ask();
  }

  #release(event) {
    this.#pointers.delete(event.pointerId);
    const drag = this.#drag;
    this.#drag = undefined;
    this.#ask();
    if (event.type === "pointerup" && drag?.isChoosing && distance(drag.from, drag.to) > 6) this.#choose(drag.from, drag.to);
  }

  #type(event) {
    const step = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    const name = { "+": "in", "=": "in", "-": "out", 0: "all", Enter: "visible" }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey || !(step || name)) return;
    event.preventDefault();
    if (step) this.#plane.pan(step[0] * 0.15 * this.#plane.width, step[1] * 0.15 * this.#plane.height);
    else this.#do(name);
    this.#ask();
  }

  #do(name) {
    if (name === "in" || name === "out") this.#plane.zoom(name === "in" ? 1.5 : 1 / 1.5);
    else if (name === "all") this.#plane.showAll();
    else if (name === "visible") this.#choose([0, 0], [this.#plane.width, this.#plane.height]);
    else if (name) this.querySelectorAll("[aria-pressed]").forEach((one) => (one.ariaPressed = String(one.dataset.do === name)));
    this.#ask();
  }

  /** Puts a rectangle into the form and sends it. */
  #choose(...corners) {
    const form = document.getElementById(this.getAttribute("form"));
    const places = corners.map((corner) => this.#plane.toMap(corner).map((value) => Math.round(Math.min(65535, Math.max(0, value)))));
    for (const [axis, names] of [["left", "right"], ["top", "bottom"]].entries()) {
      const ends = places.map((place) => place[axis]).sort((a, b) => a - b);
      names.forEach((name, i) => (form.elements[name].value = ends[i]));
    }
    form.requestSubmit();
  }

  /** Shows the picture of a point; while one is on its way, only the last of those that follow is asked for. */
  async #look(point) {
    this.#near = point;
    this.#frame();
    if (this.#isShowing) return;
    this.#isShowing = true;
    while (this.#shown !== this.#near) {
      this.#shown = this.#near;
      await this.#show(this.#shown);
    }
    this.#isShowing = false;
  }

  async #show(point) {
    const figure = this.querySelector("figure");
    if (point < 0) {
      figure.hidden = true;
      return;
    }
    const { rows, x, y, tested } = this.#data;
    const [picture, caption] = [figure.querySelector("img"), figure.querySelector("figcaption")];
    const images = `api/v1/datasets/${this.getAttribute("dataset")}/images`;
    try {
      const response = await fetch(`${images}?row=${rows ? rows[point] : point}&run=${this.getAttribute("run")}`, { signal: this.#left.signal });
      if (!response.ok) throw new Error(`the service answered ${response.status}`);
      const image = (await response.json()).items[0];
      [picture.src, picture.alt] = [`${images}/${image.sha256}?size=128`, image.name];
      caption.textContent = [image.className, image.split, ["", "right", "a mistake"][tested[point]]].filter(Boolean).join(" · ");
    } catch (error) {
      caption.textContent = `The image cannot be read: ${error.message}.`;
    }
    // On the side where the pointer is not.
    figure.classList.toggle("other", this.#plane.toCanvas([x[point], y[point]])[0] < this.#plane.width / 2);
    figure.hidden = false;
  }

  #say(text) {
    this.querySelector("[role=status]").textContent = text;
  }
}

function distance(a, b) {
  return Math.hypot(a[0] - b[0], a[1] - b[1]);
}

customElements.define("feature-map", FeatureMap);
