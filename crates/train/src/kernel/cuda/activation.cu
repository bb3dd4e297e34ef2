__device__ __forceinline__ float silu(float g) { return g / (1.0f + expf(-g)); }

// gate_up (rows, 2 · width) -> silu(gate) · up (rows, width)
extern "C" __global__ void swiglu(const T* gate_up, T* y, unsigned count, unsigned width) {
  unsigned index = (blockIdx.x * blockDim.x + threadIdx.x) * 4;
  if (index >= count) return;
  size_t at = (size_t)(index / width) * 2 * width + index % width;
  float4 g = load4(gate_up + at), u = load4(gate_up + at + width);
  store4(y + index, make_float4(silu(g.x) * u.x, silu(g.y) * u.y, silu(g.z) * u.z, silu(g.w) * u.w));
}

__device__ __forceinline__ void swiglu_slopes(float g, float u, float d, float* dg, float* du) {
  float sigmoid = 1.0f / (1.0f + expf(-g));
  *dg = d * u * sigmoid * (1.0f + g * (1.0f - sigmoid));
  *du = d * g * sigmoid;
}

extern "C" __global__ void swiglu_backward(const T* gate_up, const T* dy, T* dx, unsigned count, unsigned width) {
  unsigned index = (blockIdx.x * blockDim.x + threadIdx.x) * 4;
  if (index >= count) return;
  size_t at = (size_t)(index / width) * 2 * width + index % width;
  float4 g = load4(gate_up + at), u = load4(gate_up + at + width), d = load4(dy + index), dg, du;
  swiglu_slopes(g.x, u.x, d.x, &dg.x, &du.x);
  swiglu_slopes(g.y, u.y, d.y, &dg.y, &du.y);
  swiglu_slopes(g.z, u.z, d.z, &dg.z, &du.z);
  swiglu_slopes(g.w, u.w, d.w, &dg.w, &du.w);
  store4(dx + at, dg);
  store4(dx + at + width, du);
}

#define GELU_SCALE 0.7978845608028654f
#define GELU_CUBE 0.044715f

__device__ __forceinline__ float gelu_of(float v) {
  return 0.5f * v * (1.0f + tanhf(GELU_SCALE * (v + GELU_CUBE * v * v * v)));
}

__device__ __forceinline__ float gelu_slope(float v) {
  float t = tanhf(GELU_SCALE * (v + GELU_CUBE * v * v * v));
  return 0.5f * (1.0f + t) + 0.5f * v * (1.0f - t * t) * GELU_SCALE * (1.0f + 3.0f * GELU_CUBE * v * v);
}

__device__ __forceinline__ float4 biased(const T* x, const float* bias, unsigned index, unsigned width) {
  float4 v = load4(x + index);
  if (!bias) return v;
  float4 b = *(const float4*)(bias + index % width);
  return make_float4(v.x + b.x, v.y + b.y, v.z + b.z, v.w + b.w);
}

// gelu_tanh(x + bias), (rows, width)
extern "C" __global__ void gelu(const T* x, const float* bias, T* y, unsigned count, unsigned width) {
  unsigned index = (blockIdx.x * blockDim.x + threadIdx.x) * 4;
  if (index >= count) return;
  float4 v = biased(x, bias, index, width);
  store4(y + index, make_float4(gelu_of(v.x), gelu_of(v.y), gelu_of(v.z), gelu_of(v.w)));
}

extern "C" __global__ void gelu_backward(const T* x, const float* bias, const T* dy, T* dx, unsigned count, unsigned width) {
  unsigned index = (blockIdx.x * blockDim.x + threadIdx.x) * 4;
  if (index >= count) return;
  float4 v = biased(x, bias, index, width), d = load4(dy + index);
  store4(dx + index, make_float4(d.x * gelu_slope(v.x), d.y * gelu_slope(v.y), d.z * gelu_slope(v.z), d.w * gelu_slope(v.w)));
}
