// AdamW (Loshchilov & Hutter 2019), gradients first divided by `weight` and clipped to `max_norm` by the sum of their
// squares. A step whose gradients are not finite changes nothing.
extern "C" __global__ void adamw(const float* p, const float* g, const float* m, const float* v, const float* squares,
                                 const float* weight, float* p_out, float* m_out, float* v_out, long long count,
                                 long long high_rate_from, float rate, float high_rate, float beta1, float beta2, float eps,
                                 float decay, float correction1, float correction2, float max_norm) {
  long long index = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= count) return;
  float norm = sqrtf(squares[0]) / weight[0];
  if (!isfinite(norm)) {
    p_out[index] = p[index];
    m_out[index] = m[index];
    v_out[index] = v[index];
    return;
  }
  float clip = (max_norm > 0.0f && norm > max_norm) ? max_norm / norm : 1.0f;
  float gradient = g[index] / weight[0] * clip;
  float lr = index >= high_rate_from ? high_rate : rate;
  float mean = beta1 * m[index] + (1.0f - beta1) * gradient;
  float square = beta2 * v[index] + (1.0f - beta2) * gradient * gradient;
  m_out[index] = mean;
  v_out[index] = square;
  float value = p[index] * (1.0f - lr * decay);
  p_out[index] = value - lr * (mean / correction1) / (sqrtf(square / correction2) + eps);
}
