// The waveform of what is being spoken, as bars, while it comes; what has been heard is in full colour.

const STEP = 0.02; // seconds to a peak
const BAR = 3; // pixels
const GAP = 2;

export class Wave {
  #canvas;
  #peaks = [];
  #rate = 0;
  #peak = 0;
  #count = 0;
  #frame = 0;

  constructor(canvas) {
    this.#canvas = canvas;
    this.position = () => 0;
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  clear(rate) {
    this.#peaks = [];
    this.#rate = rate;
    this.#peak = this.#count = 0;
    this.draw();
  }

  add(samples) {
    const step = Math.round(this.#rate * STEP);
    for (const sample of samples) {
      this.#peak = Math.max(this.#peak, Math.abs(sample));
      if (++this.#count === step) {
        this.#peaks.push(this.#peak / 32768);
        this.#peak = this.#count = 0;
      }
    }
    this.draw();
  }

  /** Draw until `playing` has ended. */
  async follow(playing) {
    const tick = () => {
      this.draw();
      this.#frame = requestAnimationFrame(tick);
    };
    cancelAnimationFrame(this.#frame);
    tick();
    await playing;
    cancelAnimationFrame(this.#frame);
    this.draw();
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    if (!width) return;
    const scale = devicePixelRatio || 1;
    if (this.#canvas.width !== Math.round(width * scale)) this.#canvas.width = Math.round(width * scale);
    if (this.#canvas.height !== Math.round(height * scale)) this.#canvas.height = Math.round(height * scale);
    const paint = this.#canvas.getContext("2d");
    paint.setTransform(scale, 0, 0, scale, 0, 0);
    paint.clearRect(0, 0, width, height);
    paint.fillStyle = getComputedStyle(this.#canvas).color;
    const places = Math.floor(width / (BAR + GAP));
    const each = Math.max(1, this.#peaks.length / places);
    const heard = this.position() / STEP / each;
    for (let place = 0; place < places; place++) {
      const slice = this.#peaks.slice(Math.floor(place * each), Math.max(Math.floor((place + 1) * each), Math.floor(place * each) + 1));
      const peak = slice.length ? Math.max(...slice) : 0;
      const tall = Math.max(BAR, Math.sqrt(peak) * height);
      paint.globalAlpha = place < heard ? 1 : slice.length ? 0.38 : 0.12;
      paint.beginPath();
      paint.roundRect(place * (BAR + GAP), (height - tall) / 2, BAR, tall, BAR / 2);
      paint.fill();
    }
  }
}
