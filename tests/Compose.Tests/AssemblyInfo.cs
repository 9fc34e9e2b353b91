using Distributed.Compose.Tests;

// One engine, and two cores are enough: stacks do not share them.
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]
[assembly: AssemblyFixture(typeof(Stacks))]
