// One block a row. sum = x + first + second + bias (each of the three may be missing), y = norm(sum).
extern "C" __global__ void add_norm(const T* x, const T* first, const T* second, const float* bias, const float* weight,
                                    const float* shift, T* sum, T* y, int cols, float eps, int centre) {
  extern __shared__ float row[];
  long long at = (long long)blockIdx.x * cols;
  float total = 0.0f;
  for (int c = threadIdx.x; c < cols; c += blockDim.x) {
    float v = load(x + at + c);
    if (first) v += load(first + at + c);
    if (second) v += load(second + at + c);
    if (bias) v += bias[c];
    v = rounded(v);
    if (sum) store(sum + at + c, v);
    row[c] = v;
    total += v;
  }
  float mean = centre ? block_sum(total) / cols : 0.0f;
  float squares = 0.0f;
  for (int c = threadIdx.x; c < cols; c += blockDim.x) {
    float v = row[c] - mean;
    squares += v * v;
  }
  float scale = rsqrtf(block_sum(squares) / cols + eps);
  for (int c = threadIdx.x; c < cols; c += blockDim.x) {
    float v = (row[c] - mean) * scale * weight[c];
    store(y + at + c, shift ? v + shift[c] : v);
  }
}

// dx = d norm(x) / dx · dy + residual (which may be missing).
extern "C" __global__ void norm_backward(const T* x, const float* weight, const T* dy, const T* residual, T* dx, int cols,
                                         float eps, int centre) {
  extern __shared__ float row[];
  long long at = (long long)blockIdx.x * cols;
  float total = 0.0f;
  for (int c = threadIdx.x; c < cols; c += blockDim.x) {
    row[c] = load(x + at + c);
    total += row[c];
  }
  float mean = centre ? block_sum(total) / cols : 0.0f;
  float squares = 0.0f, sum_g = 0.0f, sum_gx = 0.0f;
  for (int c = threadIdx.x; c < cols; c += blockDim.x) {
    float v = row[c] - mean, g = load(dy + at + c) * weight[c];
    squares += v * v;
    sum_g += g;
    sum_gx += g * v;
  }
  float scale = rsqrtf(block_sum(squares) / cols + eps);
  float mean_g = centre ? block_sum(sum_g) / cols : 0.0f;
  float mean_gx = block_sum(sum_gx) / cols * scale * scale;
  for (int c = threadIdx.x; c < cols; c += blockDim.x) {
    float g = load(dy + at + c) * weight[c];
    float v = scale * (g - mean_g - (row[c] - mean) * mean_gx);
    store(dx + at + c, residual ? v + load(residual + at + c) : v);
  }
}
