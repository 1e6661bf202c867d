// Generations is a map that drops its older half when it is full. Deleting the first
// key of a Map again and again is slow: each search for it passes the deleted keys.
export class Generations {
  #young = new Map();
  #old = new Map();

  set(key, value) {
    if (this.#young.size >= 1 << 16) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }

  get(key) {
    return this.#young.get(key) ?? this.#old.get(key);
  }

  // delete tells whether there was one.
  delete(key) {
    const young = this.#young.delete(key);
    return this.#old.delete(key) || young;
  }
}
