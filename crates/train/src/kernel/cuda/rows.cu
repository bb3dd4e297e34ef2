// y[r] = x[rows[r]], or zeros where rows[r] is NOTHING.
extern "C" __global__ void gather_rows(const T* x, const unsigned* rows, T* y, long long count, int width) {
  long long index = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= count) return;
  unsigned row = rows[index / width];
  if (row == NOTHING) store(y + index, 0.0f);
  else y[index] = x[(long long)row * width + index % width];
}
