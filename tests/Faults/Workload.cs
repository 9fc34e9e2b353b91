using Distributed.Imaging;

namespace Distributed.Faults;

/// <summary>A run that is asked for.</summary>
/// <param name="Name">What it is called.</param>
/// <param name="Body">Its specification.</param>
internal sealed record RunRequest(string Name, object Body);

/// <summary>Small runs over several data sets. They take seconds, and still have several parts, shards and slices.</summary>
internal sealed class Workload : IDisposable
{
    /// <summary>Runs of the standard set.</summary>
    public const int Count = 20;

    private const int Side = 64;
    private const int Epochs = 300;
    private const int Classes = 4;
    private const int ImagesAClass = 30;
    private const int Folders = 3;
    private const int Samples = 3;

    private static readonly object Mlp = new
    {
        kind = "mlp",
        hiddenSizes = new[] { 256 },
        dropout = 0.3,
    };

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("distributed-faults-");

    private RunResult[]? _twins;

    public Workload()
    {
        for (var set = 0; set < Folders; set++)
        {
            WritePictures(PathOf(set), set);
        }
    }

    /// <summary>How the hosts are set up, disturbed or not.</summary>
    public IReadOnlyDictionary<string, string?> Settings =>
        new Dictionary<string, string?>
        {
            ["Data__Roots__1"] = _folder.FullName,
            ["Ingestion__SampleTrainImages"] = "120",
            ["Ingestion__SampleTestImages"] = "100",
            ["Ingestion__MostImagesAPart"] = "40",
            ["Training__Threads"] = "1",
            ["Training__ShardImages"] = "32",
            ["Training__Slice"] = "00:00:00.300",
        };

    /// <summary>The folder that the data sets stand in.</summary>
    public string Root => _folder.FullName;

    /// <summary>Different runs over six data sets, with heads that take many slices and some that take one.</summary>
    public IReadOnlyList<RunRequest> Requests(int count = Count) =>
        [
            .. Enumerable
                .Range(0, count)
                .Select(index =>
                {
                    var set = index % (Folders + Samples);
                    var isLinear = index % 4 == 3;
                    return new RunRequest(
                        $"run {index}",
                        new
                        {
                            name = $"run {index}",
                            dataset = set < Folders ? PathOf(set) : "sample",
                            splitSeed = set,
                            inputSize = Side,
                            precision = "fp32",
                            seed = index,
                            head = isLinear ? new { kind = "linear" } : Mlp,
                            training = isLinear
                                ? (object)new { }
                                : new
                                {
                                    epochs = Epochs,
                                    patience = Epochs,
                                    batchSize = 32,
                                },
                        }
                    );
                }),
        ];

    /// <summary>What becomes of them undisturbed; found out once, by whichever row asks first.</summary>
    public async Task<RunResult[]> TwinsAsync(FaultLab lab) => _twins ??= [.. await RunChecks.UndisturbedAsync(lab, Settings, Requests())];

    /// <summary>A run over a drawn data set of its own, so that it goes through every stage, several parts, shards and slices.</summary>
    public static RunRequest Alone(int index) =>
        new(
            $"run {index}",
            new
            {
                name = $"run {index}",
                splitSeed = 1000 + index,
                inputSize = Side,
                precision = "fp32",
                head = Mlp,
                training = new
                {
                    epochs = Epochs,
                    patience = Epochs,
                    batchSize = 32,
                },
            }
        );

    /// <summary>Folders of pictures whose classes differ in brightness, and noise.</summary>
    public static void WritePictures(string folder, int seed)
    {
        for (var label = 0; label < Classes; label++)
        {
            var ofClass = Directory.CreateDirectory(Path.Combine(folder, $"class{label}"));
            for (var image = 0; image < ImagesAClass; image++)
            {
                var random = new Random((((seed * Classes) + label) * ImagesAClass) + image);
                var brightness = (label * 25) + random.Next(60);
                var pixels = new byte[Side * Side * 3];
                for (var i = 0; i < pixels.Length; i++)
                {
                    pixels[i] = (byte)(brightness + random.Next(100));
                }

                File.WriteAllBytes(Path.Combine(ofClass.FullName, $"{image:D3}.png"), PngEncoder.Encode(pixels, Side, Side));
            }
        }
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private string PathOf(int set) => Path.Combine(_folder.FullName, $"set{set}");
}
