using System.Text.Json;
using Distributed.Benchmarks;

// dotnet run -c Release --project tests/Benchmarks -- [NAME…] [--json FILE]
IBenchmark[] benchmarks =
[
    new ExtractionBenchmark("extract-96", 96, "best"),
    new ExtractionBenchmark("extract-96-fp32", 96, "fp32"),
    new ExtractionBenchmark("extract-224", 224, "best"),
    new CoreBenchmark("core-96", ["extract-core", "demo", "best", "96"], ["onnx-core", "demo", "96"]),
    new CoreBenchmark("core-96-fp32", ["extract-core", "demo", "fp32", "96"], ["onnx-core", "demo", "96"]),
    new CoreBenchmark("core-224", ["extract-core", "demo", "best", "224"], ["onnx-core", "demo", "224"]),
    new CoreBenchmark("core-224-resnet18", ["extract-core", "resnet18", "best", "224"], ["onnx-core", "resnet18", "224"]),
    new CoreBenchmark("core-224-resnet18-fp32", ["extract-core", "resnet18", "fp32", "224"], ["onnx-core", "resnet18", "224"]),
    new CoreBenchmark("core-224-imported", ["extract-core", "mlnet-resnet18", "best", "224"], ["onnx-core-file", "mlnet-resnet18", "224"]),
    new CoreBenchmark(
        "core-224-imported-fp32",
        ["extract-core", "mlnet-resnet18", "fp32", "224"],
        ["onnx-core-file", "mlnet-resnet18", "224"]
    ),
    new OnnxBaseBenchmark(),
    new CoreBenchmark("core-224-resnet50", ["extract-core", "resnet50", "best", "224"], ["onnx-core", "resnet50", "224"]),
    new CoreBenchmark("core-224-resnet50-fp32", ["extract-core", "resnet50", "fp32", "224"], ["onnx-core", "resnet50", "224"]),
    new CoreBenchmark("core-96-operators", ["operators-core", "96"], ["plain-core", "96"]),
    new GpuBenchmark("extract-96-gpu", 96),
    new GpuBenchmark("extract-224-gpu", 224),
    new GpuBatchBenchmark("gpu-96", 96, [64, 128, 256, 512, 1024, 2048]),
    new GpuBatchBenchmark("gpu-224", 224, [32, 64, 128, 256, 512]),
    new PlainNetworkBenchmark(),
    new MemoryBenchmark(),
    new DecodeBenchmark(),
    new IngestionBenchmark("ingest-224", files: 13_000, pictures: 64, width: 224, height: 224, size: 96),
    new IngestionBenchmark("ingest-12mp", files: 48, pictures: 12, width: 4000, height: 3000, size: 224),
    new RegularisationPathBenchmark(),
    new ManyClassesBenchmark(),
    new HeadMemoryBenchmark("head-memory", 100_000, penalties: int.MaxValue),
    new HeadMemoryBenchmark("head-memory-million", 1_000_000, penalties: 3),
    new EvidenceMemoryBenchmark(),
    new LeaveOneOutBenchmark(),
    new WrongLabelBenchmark(),
    new PredictionLatencyBenchmark("predict", PredictionServer.StartAloneAsync),
    new PredictionLatencyBenchmark("predict-broker", PredictionServer.StartHostsAsync),
    new PredictionThroughputBenchmark(),
    new PredictionMemoryBenchmark(),
    new InferenceBenchmark(),
    new InferenceMemoryBenchmark(),
    new FirstRunBenchmark(),
    new SecondRunBenchmark(),
    new ShardOverheadBenchmark(),
    new CatalogMetricsBenchmark(),
    new RunListBenchmark("list-runs", isPostgres: true),
    new RunListBenchmark("list-runs-sqlite", isPostgres: false),
    new TelemetryCostBenchmark(),
    new PagesBenchmark(),
    new MapBenchmark(),
];

if (args is [Contestant.Verb, ..])
{
    // This very program, started by itself as one side of a comparison.
    Contestants.Serve(args[1..]);
    return 0;
}

var jsonAt = Array.IndexOf(args, "--json");
var json = jsonAt >= 0 && jsonAt + 1 < args.Length ? args[jsonAt + 1] : null;
var names = args.Where((_, i) => jsonAt < 0 || (i != jsonAt && i != jsonAt + 1)).ToList();
var unknown = names.Except(benchmarks.Select(benchmark => benchmark.Name)).ToList();
if (unknown.Count > 0 || (jsonAt >= 0 && json is null))
{
    await Console.Error.WriteLineAsync(
        $"usage: [NAME…] [--json FILE], where NAME is one of {string.Join(", ", benchmarks.Select(benchmark => benchmark.Name))}"
    );
    return 1;
}

using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, press) =>
{
    press.Cancel = true;
    stop.Cancel();
};
Console.WriteLine(FigureTable.Heading);
var figures = new List<Figure>();
foreach (var benchmark in benchmarks.Where(benchmark => names.Count == 0 || names.Contains(benchmark.Name)))
{
    foreach (var figure in await benchmark.RunAsync(stop.Token))
    {
        figures.Add(figure);
        Console.WriteLine(FigureTable.Line(figure));
    }
}

if (json is not null)
{
    await File.WriteAllTextAsync(json, JsonSerializer.Serialize(figures, FigureTable.Json), stop.Token);
}

return 0;
