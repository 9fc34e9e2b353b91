// LibTorch's number of threads belongs to the process, and heads are compared bit by bit.
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]
