// gate_up (rows, 2 · width) -> silu(gate) · up (rows, width)
extern "C" __global__ void swiglu(const T* gate_up, T* y, long long count, int width) {
  long long index = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= count) return;
  long long at = index / width * 2 * width + index % width;
  float g = load(gate_up + at), u = load(gate_up + at + width);
  store(y + index, g / (1.0f + expf(-g)) * u);
}

extern "C" __global__ void swiglu_backward(const T* gate_up, const T* dy, T* dx, long long count, int width) {
  long long index = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= count) return;
  long long at = index / width * 2 * width + index % width;
  float g = load(gate_up + at), u = load(gate_up + at + width), d = load(dy + index);
  float sigmoid = 1.0f / (1.0f + expf(-g));
  store(dx + at, d * u * sigmoid * (1.0f + g * (1.0f - sigmoid)));
  store(dx + at + width, d * g * sigmoid);
}

#define GELU_SCALE 0.7978845608028654f
#define GELU_CUBE 0.044715f

// gelu_tanh(x + bias), (rows, width)
extern "C" __global__ void gelu(const T* x, const float* bias, T* y, long long count, int width) {
  long long index = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= count) return;
  float v = load(x + index) + (bias ? bias[index % width] : 0.0f);
  store(y + index, 0.5f * v * (1.0f + tanhf(GELU_SCALE * (v + GELU_CUBE * v * v * v))));
}

extern "C" __global__ void gelu_backward(const T* x, const float* bias, const T* dy, T* dx, long long count, int width) {
  long long index = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= count) return;
  float v = load(x + index) + (bias ? bias[index % width] : 0.0f);
  float t = tanhf(GELU_SCALE * (v + GELU_CUBE * v * v * v));
  float slope = 0.5f * (1.0f + t) + 0.5f * v * (1.0f - t * t) * GELU_SCALE * (1.0f + 3.0f * GELU_CUBE * v * v);
  store(dx + index, load(dy + index) * slope);
}
