// Reductions over one workgroup of WORKGROUP threads: inside each subgroup first, then over the
// subgroups through workgroup memory. The subgroup's size is counted, not read from a builtin: some
// drivers report a size that they do not run with.
const WORKGROUP: u32 = 64u;
var<workgroup> reduction: array<f32, WORKGROUP>;

fn workgroup_sum(thread: u32, value: f32) -> f32 {
    let size = subgroupAdd(1u);
    let first = subgroupMin(thread);
    let partial = subgroupAdd(value);
    workgroupBarrier();
    if (thread == first) {
        reduction[first / size] = partial;
    }
    workgroupBarrier();
    var total = 0.0;
    for (var i = 0u; i < WORKGROUP / size; i++) {
        total += reduction[i];
    }
    return total;
}
