// y[r] = x[rows[r]], or zeros where rows[r] is NOTHING.
extern "C" __global__ void gather_rows(const T* x, const unsigned* rows, T* y, unsigned count, unsigned width) {
  unsigned index = (blockIdx.x * blockDim.x + threadIdx.x) * 4;
  if (index >= count) return;
  unsigned row = rows[index / width];
  float4 v = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
  if (row != NOTHING) v = load4(x + (size_t)row * width + index % width);
  store4(y + index, v);
}
