// Points on a plane: where they stand on a canvas, and their pixels, which are written into an image here. That is as fast without a graphics processor as
// with one, for 100,000 points too.
export class MapPlane {
  #canvas;
  #context;
  #image;
  #pixels;
  #x;
  #y;
  #width;
  #height;
  #left = 0;
  #top = 0;
  #scale = 0;
  #fit = 0;

  constructor(canvas, x, y) {
    [this.#canvas, this.#context] = [canvas, canvas.getContext("2d")];
    [this.#x, this.#y] = [x, y];
    [this.#width, this.#height] = [x, y].map((side) => side.reduce((most, one) => Math.max(most, one), 1));
  }

  /** Pixels of the canvas for each of the page. */
  get ratio() {
    return Math.min(2, devicePixelRatio);
  }

  get width() {
    return this.#canvas.width;
  }

  get height() {
    return this.#canvas.height;
  }

  /** Takes the size that the page gives the canvas. */
  resize() {
    const [width, height] = [this.#canvas.clientWidth, this.#canvas.clientHeight].map((side) => Math.round(side * this.ratio));
    if (width === 0 || height === 0) return;
    if (this.#image?.width !== width || this.#image.height !== height) {
      [this.#canvas.width, this.#canvas.height] = [width, height];
      this.#image = this.#context.createImageData(width, height);
      this.#pixels = new Uint32Array(this.#image.data.buffer);
    }
    const isFirst = this.#fit === 0;
    this.#fit = 0.92 * Math.min(width / this.#width, height / this.#height);
    if (isFirst) this.showAll();
  }

  showAll() {
    this.#scale = this.#fit;
    this.#left = (this.#width - this.width / this.#fit) / 2;
    this.#top = (this.#height - this.height / this.#fit) / 2;
  }

  pan(across, down) {
    this.#left -= across / this.#scale;
    this.#top -= down / this.#scale;
  }

  /** What is at a place of the canvas stays there. */
  zoom(factor, [across, down] = [this.width / 2, this.height / 2]) {
    const scale = Math.min(200 * this.#fit, Math.max(this.#fit / 2, this.#scale * factor));
    this.#left += across / this.#scale - across / scale;
    this.#top += down / this.#scale - down / scale;
    this.#scale = scale;
  }

  toCanvas([x, y]) {
    return [(x - this.#left) * this.#scale, (y - this.#top) * this.#scale];
  }

  toMap([across, down]) {
    return [this.#left + across / this.#scale, this.#top + down / this.#scale];
  }

  /** The point nearest to a place of the canvas; -1 where there is none near it. */
  find(place) {
    const [x, y] = this.toMap(place);
    let [found, least] = [-1, ((10 * this.ratio) / this.#scale) ** 2];
    for (let i = 0; i < this.#x.length; i++) {
      const apart = (this.#x[i] - x) ** 2 + (this.#y[i] - y) ** 2;
      if (apart < least) [found, least] = [i, apart];
    }
    return found;
  }

  /**
   * Draws the points, and counts those that are in view.
   * @param inks A colour a point, as an index into colours.
   * @param colours As pixels have them.
   * @param above 1 for the points that are drawn later and larger, else 0.
   */
  draw(inks, colours, above) {
    if (!this.#image) return 0;
    const [x, y] = [this.#x, this.#y];
    const [left, top, scale] = [this.#left, this.#top, this.#scale];
    const { width, height } = this.#image;
    const growth = Math.min(3, Math.sqrt(Math.max(1, scale / this.#fit)));
    const size = (x.length < 2000 ? 3.5 : x.length < 20000 ? 2 : 1) * growth * this.ratio;
    const pixels = this.#pixels.fill(0);
    let inView = 0;
    for (const pass of [0, 1]) {
      const radius = Math.round(size * (1 + 0.4 * pass));
      const disc = discOf(radius, width);
      for (let i = 0; i < x.length; i++) {
        if (above[i] !== pass) continue;
        const column = ((x[i] - left) * scale) | 0;
        const row = ((y[i] - top) * scale) | 0;
        if (column < radius || row < radius || column >= width - radius || row >= height - radius) continue;
        inView++;
        const colour = colours[inks[i]];
        const centre = row * width + column;
        for (let j = 0; j < disc.length; j++) pixels[centre + disc[j]] = colour;
      }
    }
    this.#context.putImageData(this.#image, 0, 0);
    return inView;
  }
}

/** The pixels of a disc, as offsets from its centre in an image of a width. */
function discOf(radius, width) {
  const side = Array.from({ length: 2 * radius + 1 }, (_, i) => i - radius);
  const most = radius * (radius + 0.8);
  return Int32Array.from(side.flatMap((down) => side.filter((across) => across ** 2 + down ** 2 <= most).map((across) => down * width + across)));
}
