namespace Distributed.Benchmarks;

/// <summary>One row of the table, with as many lines as it has peers.</summary>
internal interface IBenchmark
{
    string Name { get; }

    Task<IReadOnlyList<Figure>> RunAsync(CancellationToken cancellationToken);
}
