__device__ __forceinline__ float half_at(const unsigned char* p) {
  unsigned short bits = *(const unsigned short*)p;
  float v;
  asm("{ .reg .b16 h; mov.b16 h, %1; cvt.f32.f16 %0, h; }" : "=f"(v) : "h"(bits));
  return v;
}

__device__ __forceinline__ float half_rounded(float v) {
  float r;
  asm("{ .reg .b16 h; cvt.rn.f16.f32 h, %1; cvt.f32.f16 %0, h; }" : "=f"(r) : "f"(v));
  return r;
}

// The four bytes at `p`, which is even.
__device__ __forceinline__ unsigned four_bytes(const unsigned char* p) {
  const unsigned short* halves = (const unsigned short*)p;
  return (unsigned)halves[0] | ((unsigned)halves[1] << 16);
}

__device__ __forceinline__ float nibble(unsigned bytes, int at) { return (float)((bytes >> at) & 15u); }

// One thread four bytes of nibbles: elements at..at + 4 and at + 16..at + 20 of its block.
// Q4_0 has 2 bytes before the nibbles, Q4_1 four.
extern "C" __global__ void dequantize_q4_0(const unsigned char* blocks, T* y, unsigned count) {
  unsigned index = blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= count) return;
  const unsigned char* block = blocks + (size_t)(index / 4) * 18;
  int at = (int)(index % 4) * 4;
  float d = half_at(block);
  unsigned q = four_bytes(block + 2 + at);
  T* out = y + (size_t)(index / 4) * 32 + at;
  store4(out, make_float4(d * (nibble(q, 0) - 8.0f), d * (nibble(q, 8) - 8.0f), d * (nibble(q, 16) - 8.0f), d * (nibble(q, 24) - 8.0f)));
  store4(out + 16, make_float4(d * (nibble(q, 4) - 8.0f), d * (nibble(q, 12) - 8.0f), d * (nibble(q, 20) - 8.0f), d * (nibble(q, 28) - 8.0f)));
}

__device__ __forceinline__ float above(float q, float d, float m) { return __fadd_rn(__fmul_rn(q, d), m); }

extern "C" __global__ void dequantize_q4_1(const unsigned char* blocks, T* y, unsigned count) {
  unsigned index = blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= count) return;
  const unsigned char* block = blocks + (size_t)(index / 4) * 20;
  int at = (int)(index % 4) * 4;
  float d = half_at(block), m = half_at(block + 2);
  unsigned q = four_bytes(block + 4 + at);
  T* out = y + (size_t)(index / 4) * 32 + at;
  store4(out, make_float4(above(nibble(q, 0), d, m), above(nibble(q, 8), d, m), above(nibble(q, 16), d, m), above(nibble(q, 24), d, m)));
  store4(out + 16, make_float4(above(nibble(q, 4), d, m), above(nibble(q, 12), d, m), above(nibble(q, 20), d, m), above(nibble(q, 28), d, m)));
}

// One thread four elements.
extern "C" __global__ void dequantize_q8_0(const unsigned char* blocks, T* y, unsigned count) {
  unsigned index = blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= count) return;
  const unsigned char* block = blocks + (size_t)(index / 8) * 34;
  float d = half_at(block);
  const signed char* q = (const signed char*)block + 2 + index % 8 * 4;
  store4(y + (size_t)index * 4, make_float4(d * q[0], d * q[1], d * q[2], d * q[3]));
}
