// Passes on what the microphone hears: 16-bit samples, 40 ms at a time, with their peak.
class Recorder extends AudioWorkletProcessor {
  #samples = new Int16Array(Math.round(sampleRate / 25));
  #count = 0;
  #peak = 0;

  process([[input]]) {
    for (const value of input ?? []) {
      const sample = Math.max(-1, Math.min(1, value));
      this.#peak = Math.max(this.#peak, Math.abs(sample));
      this.#samples[this.#count++] = sample * 32767;
      if (this.#count === this.#samples.length) {
        this.port.postMessage({ samples: this.#samples.slice(), peak: this.#peak });
        this.#count = this.#peak = 0;
      }
    }
    return true;
  }
}

registerProcessor("recorder", Recorder);
