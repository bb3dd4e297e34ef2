__device__ __forceinline__ float half_at(const unsigned char* p) {
  unsigned short bits = (unsigned short)(p[0] | (p[1] << 8));
  float v;
  asm("{ .reg .b16 h; mov.b16 h, %1; cvt.f32.f16 %0, h; }" : "=f"(v) : "h"(bits));
  return v;
}

__device__ __forceinline__ float half_rounded(float v) {
  float r;
  asm("{ .reg .b16 h; cvt.rn.f16.f32 h, %1; cvt.f32.f16 %0, h; }" : "=f"(r) : "f"(v));
  return r;
}

// One thread a byte of nibbles: elements at and at + 16 of its block. Q4_0 has 2 bytes before the nibbles, Q4_1 four.
extern "C" __global__ void dequantize_q4_0(const unsigned char* blocks, T* y, long long count) {
  long long index = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= count) return;
  const unsigned char* block = blocks + index / 16 * 18;
  int at = (int)(index % 16);
  float d = half_at(block);
  unsigned q = block[2 + at];
  T* out = y + index / 16 * 32 + at;
  store(out, d * ((float)(q & 15) - 8.0f));
  store(out + 16, d * ((float)(q >> 4) - 8.0f));
}

extern "C" __global__ void dequantize_q4_1(const unsigned char* blocks, T* y, long long count) {
  long long index = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= count) return;
  const unsigned char* block = blocks + index / 16 * 20;
  int at = (int)(index % 16);
  float d = half_at(block), m = half_at(block + 2);
  unsigned q = block[4 + at];
  T* out = y + index / 16 * 32 + at;
  store(out, __fadd_rn(__fmul_rn((float)(q & 15), d), m));
  store(out + 16, __fadd_rn(__fmul_rn((float)(q >> 4), d), m));
}

extern "C" __global__ void dequantize_q8_0(const unsigned char* blocks, T* y, long long count) {
  long long index = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= count) return;
  const unsigned char* block = blocks + index / 32 * 34;
  store(y + index, half_at(block) * (float)(signed char)block[2 + index % 32]);
}
