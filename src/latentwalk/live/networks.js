// Runs the networks that networks.py has written, in a worker of its own.
// An image is kept as {side, channels, data}: rows of pixels, the channels beside each other.
"use strict";

function latentwalkWorker() {
  const networks = {};

  /** Read all numbers of a network: float32 values, then the bytes of float16 values. */
  async function unpacked({ steps, exact, numbers }) {
    const packed = Uint8Array.from(atob(numbers), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const bytes = await new Response(stream).arrayBuffer();
    const planes = new Uint8Array(bytes, 4 * exact), count = planes.length / 2;
    const halves = new Float32Array(count);
    for (let i = 0; i < count; i++) halves[i] = fromHalf(planes[i] | (planes[count + i] << 8));
    return withNumbers(steps, new Float32Array(bytes, 0, exact), halves);
  }

  function fromHalf(bits) {
    const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }

  /** Give each step the numbers that it uses. */
  function withNumbers(steps, exact, halves) {
    const at = { exact: 0, halves: 0 };
    const next = (count, half) => half ? halves.subarray(at.halves, at.halves += count)
      : exact.subarray(at.exact, at.exact += count);
    return steps.map(([name, size, inputs, outputs, half]) => {
      if (name === "scale") return { name, scale: next(size), shift: next(size) };
      if (name !== "convolve") return { name, size };
      const filled = Math.ceil(outputs / 4) * 4;
      const kernel = next(filled * size * size * inputs, half);
      return { name, size, outputs, kernel, bias: next(filled) };
    });
  }

  /** Convolution with zeros around the image; a layer without a place is one with a single pixel. */
  function convolve({ side, channels, data }, { size, outputs, kernel, bias }) {
    const edge = size >> 1, row = (side + 2 * edge + 1) * channels, run = size * channels;
    const padded = new Float32Array((side + 2 * edge) * row);
    for (let y = 0; y < side; y++) {
      const line = data.subarray(y * side * channels, (y + 1) * side * channels);
      padded.set(line, (y + edge) * row + edge * channels);
    }
    const result = new Float32Array(side * side * outputs + 4 + 4 * outputs);
    // Four channels of two pixels at once: this loop takes nearly all of the time.
    for (let o = 0; o < outputs; o += 4) {
      const first = o * size * run, more = outputs - o;
      for (let y = 0; y < side; y++) {
        for (let x = 0; x < side; x += 2) {
          let a = bias[o], b = bias[o + 1], c = bias[o + 2], d = bias[o + 3];
          let e = a, f = b, g = c, h = d, k = first;
          for (let line = 0; line < size; line++) {
            const start = (y + line) * row + x * channels, end = start + run;
            for (let i = start; i < end; i++, k += 4) {
              const left = padded[i], right = padded[i + channels];
              const p = kernel[k], q = kernel[k + 1], r = kernel[k + 2], s = kernel[k + 3];
              a += left * p; b += left * q; c += left * r; d += left * s;
              e += right * p; f += right * q; g += right * r; h += right * s;
            }
          }
          const place = (y * side + x) * outputs + o;
          store(result, place, more, a, b, c, d);
          if (x + 1 < side) store(result, place + outputs, more, e, f, g, h);
        }
      }
    }
    return { side, channels: outputs, data: result.subarray(0, side * side * outputs) };
  }

  function store(result, place, more, a, b, c, d) {
    result[place] = a;
    if (more > 1) result[place + 1] = b;
    if (more > 2) result[place + 2] = c;
    if (more > 3) result[place + 3] = d;
  }

  /** Make one pixel with 4 C channels into four with C channels, as PyTorch's PixelShuffle(2). */
  function shuffle({ side, channels, data }) {
    const fewer = channels / 4, result = new Float32Array(data.length);
    for (let y = 0; y < 2 * side; y++) {
      for (let x = 0; x < 2 * side; x++) {
        const from = ((y >> 1) * side + (x >> 1)) * channels + 2 * (y & 1) + (x & 1);
        for (let c = 0; c < fewer; c++) result[(y * 2 * side + x) * fewer + c] = data[from + 4 * c];
      }
    }
    return { side: 2 * side, channels: fewer, data: result };
  }

  /** The largest of four neighbours; an odd last row or column is left out. */
  function pool({ side, channels, data }) {
    const half = side >> 1, result = new Float32Array(half * half * channels);
    for (let y = 0, place = 0; y < half; y++) {
      for (let x = 0; x < half; x++) {
        let upper = (2 * y * side + 2 * x) * channels, lower = upper + side * channels;
        for (let c = 0; c < channels; c++, upper++, lower++) {
          result[place++] = Math.max(
            data[upper], data[upper + channels], data[lower], data[lower + channels]);
        }
      }
    }
    return { side: half, channels, data: result };
  }

  // These change an image in place, which is quicker; what is kept is a copy.
  function scale(image, { scale, shift }) {
    const { channels, data } = image;
    for (let i = 0; i < data.length; i += channels) {
      for (let c = 0; c < channels; c++) data[i + c] = data[i + c] * scale[c] + shift[c];
    }
    return image;
  }

  function relu(image) {
    for (let i = 0; i < image.data.length; i++) if (image.data[i] < 0) image.data[i] = 0;
    return image;
  }

  function silu(image) {
    const data = image.data;
    for (let i = 0; i < data.length; i++) data[i] /= 1 + Math.exp(-data[i]);
    return image;
  }

  function sigmoid(image) {
    const data = image.data;
    for (let i = 0; i < data.length; i++) data[i] = 1 / (1 + Math.exp(-data[i]));
    return image;
  }

  function softmax(image) {
    const most = Math.max(...image.data), powers = image.data.map((v) => Math.exp(v - most));
    const sum = powers.reduce((a, b) => a + b);
    return { ...image, data: powers.map((v) => v / sum) };
  }

  function reshape({ data }, { size }) {
    return { side: size, channels: data.length / size ** 2, data };
  }

  function keep(image, step, kept) {
    kept.push(image.data.slice());
    return image;
  }

  function add(image, step, kept) {
    const before = kept.pop();
    for (let i = 0; i < before.length; i++) image.data[i] += before[i];
    return image;
  }

  const STEPS = {
    convolve, shuffle, pool, scale, relu, silu, sigmoid, softmax, reshape, keep, add,
  };

  function run(steps, input) {
    const kept = [];
    let image = { side: 1, channels: input.length, data: input };
    for (const step of steps) image = STEPS[step.name](image, step, kept);
    return image.data;
  }

  self.onmessage = async ({ data: { number, name, network, inputs } }) => {
    if (network) networks[name] = unpacked(network);
    else {
      const steps = await networks[name];
      self.postMessage({ number, outputs: inputs.map((input) => run(steps, input)) });
    }
  };
}
