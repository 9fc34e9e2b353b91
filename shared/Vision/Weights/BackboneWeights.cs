using System.Globalization;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Distributed.Networks;
using Distributed.Vision.Engines;
using Distributed.Vision.Onnx;
using TorchSharp;

namespace Distributed.Vision.Weights;

/// <summary>The weights of a network, under the names of its graph.</summary>
internal sealed class BackboneWeights
{
    private const int MostNamesInAnError = 20;

    private readonly Dictionary<string, TensorData> _tensors;

    private BackboneWeights(
        NetworkArchitecture architecture,
        Dictionary<string, TensorData> tensors,
        string source,
        string sha256,
        string origin,
        Preprocessing preprocessing
    )
    {
        Architecture = architecture;
        _tensors = tensors;
        Source = source;
        Sha256 = sha256;
        Origin = origin;
        Preprocessing = preprocessing;
        ThrowIfNotOf(architecture);
    }

    /// <summary>What they are the weights of.</summary>
    public NetworkArchitecture Architecture { get; }

    /// <summary>What errors call the weights.</summary>
    public string Source { get; }

    public string Sha256 { get; }

    /// <summary>Where the weights come from, for people.</summary>
    public string Origin { get; }

    public Preprocessing Preprocessing { get; }

    /// <summary>The ONNX file that they were read from; null for other files.</summary>
    public OnnxUse? Onnx { get; private init; }

    /// <summary>Reads a weight file of any known format, which its content shows.</summary>
    /// <param name="path">The file.</param>
    /// <param name="title">What people call it.</param>
    /// <param name="architecture">What it has to hold the weights of; where null, the known network that most of its tensors are of.</param>
    /// <exception cref="WeightsException">It is of another format, is damaged, or does not hold all weights of one network and no others.</exception>
    public static BackboneWeights Load(string path, string title, NetworkArchitecture? architecture)
    {
        using var file = WeightFile.Open(path);
        var tensors = BackboneNames.Known.Find(file).ToDictionary(pair => pair.Key, pair => file.Read(pair.Value));
        architecture ??= NetworkArchitecture.All.MaxBy(known =>
            known.Graph.TensorShapes.Count(wanted =>
                tensors.TryGetValue(wanted.Key, out var found) && wanted.Value.AsSpan().SequenceEqual(found.Shape)
            )
        )!;
        return new BackboneWeights(
            architecture,
            tensors,
            file.Source,
            HashOf(path),
            OriginOf(title, file.Metadata),
            PreprocessingOf(path, file.Metadata) ?? architecture.Preprocessing
        );
    }

    /// <summary>Weights that were read already.</summary>
    /// <param name="architecture">What they are the weights of; its preprocessing is theirs.</param>
    /// <param name="tensors">All of them, under the names of its graph.</param>
    /// <param name="source">What errors call them.</param>
    /// <param name="sha256">What identifies them.</param>
    /// <param name="origin">Where they come from, for people.</param>
    /// <param name="onnx">The ONNX file that they were read from.</param>
    /// <exception cref="WeightsException">They are not all weights of the network and no others.</exception>
    public static BackboneWeights Of(
        NetworkArchitecture architecture,
        Dictionary<string, TensorData> tensors,
        string source,
        string sha256,
        string origin,
        OnnxUse onnx
    ) => new(architecture, tensors, source, sha256, origin, architecture.Preprocessing) { Onnx = onnx };

    /// <summary>The same weights, with the means of the last blocks' maps as features.</summary>
    /// <param name="count">Blocks, from 1 to <see cref="NetworkArchitecture.Blocks"/>.</param>
    public BackboneWeights WithBlocks(int count) =>
        new(Architecture.WithBlocks(count), _tensors, Source, Sha256, Origin, Preprocessing) { Onnx = Onnx };

    /// <summary>Draws weights: convolutions as torchvision does (He et al., 2015: normal, by fan-in), normalisations that change nothing.</summary>
    public static BackboneWeights Random(NetworkArchitecture architecture, int seed)
    {
        var tensors = new Dictionary<string, TensorData>();
        var index = 0;
        foreach (var (name, shape) in architecture.Graph.TensorShapes.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            var values = new float[shape.Aggregate(1L, (product, length) => product * length)];
            if (shape is [_, var inputs, .. var window])
            {
                var random = new SeededRandom(SeededRandom.Hash(seed, index++));
                var deviation = Math.Sqrt(2.0 / window.Aggregate(inputs, (product, length) => product * length));
                for (var i = 0; i < values.Length; i++)
                {
                    values[i] = (float)(deviation * random.NextNormal());
                }
            }
            else if (name.EndsWith(".weight", StringComparison.Ordinal) || name.EndsWith(".running_var", StringComparison.Ordinal))
            {
                Array.Fill(values, 1);
            }

            tensors.Add(name, TensorData.FromValues(values, shape));
        }

        var recipe = $"random weights of seed {seed}: they have learned nothing";
        var sha256 = Convert.ToHexStringLower(
            SHA256.HashData(System.Text.Encoding.UTF8.GetBytes($"kaiming-normal splitmix64 {architecture.Name} {seed}"))
        );
        return new BackboneWeights(
            architecture,
            tensors,
            $"Random weights of {architecture.Name}",
            sha256,
            recipe,
            architecture.Preprocessing
        );
    }

    /// <summary>Checks that these are the weights of an architecture, all of them and no others.</summary>
    /// <exception cref="WeightsException">Tensors are missing, left over, or of another shape or type; the message lists them.</exception>
    private void ThrowIfNotOf(NetworkArchitecture architecture)
    {
        var wanted = architecture.Graph.TensorShapes;
        var problems = new List<string>();
        Report(problems, "missing", wanted.Keys.Where(name => !_tensors.ContainsKey(name)));
        Report(problems, "not part of it", _tensors.Keys.Where(name => !wanted.ContainsKey(name)));
        var shared = wanted
            .Where(pair => _tensors.ContainsKey(pair.Key))
            .Select(pair => (Name: pair.Key, Wanted: pair.Value, Found: _tensors[pair.Key]))
            .ToList();
        Report(
            problems,
            "of another shape",
            shared
                .Where(pair => !pair.Wanted.AsSpan().SequenceEqual(pair.Found.Shape))
                .Select(pair => $"{pair.Name} [{string.Join(", ", pair.Found.Shape)}] instead of [{string.Join(", ", pair.Wanted)}]")
        );
        Report(
            problems,
            "no floating-point numbers",
            shared.Where(pair => !torch.is_floating_point(pair.Found.Type)).Select(pair => $"{pair.Name} ({pair.Found.Type})")
        );
        if (problems.Count > 0)
        {
            throw new WeightsException($"{Source} does not hold the weights of {architecture.Name}: {string.Join("; ", problems)}.");
        }

        Report(problems, "with values that no arithmetic can use", shared.Select(pair => Unusable(pair.Name, pair.Found)).OfType<string>());
        if (problems.Count > 0)
        {
            throw new WeightsException(
                $"{Source} is not fit for use: {problems[0]}. Its training diverged, or the file is damaged; take weights of an "
                    + "earlier epoch, or download it again."
            );
        }
    }

    /// <summary>What is wrong with a tensor's values: how many are no finite float32, or as variances below 0; null where nothing is.</summary>
    private static string? Unusable(string name, TensorData tensor)
    {
        var values = tensor.ToSingles();
        var (nan, infinite, negative) = (0, 0, 0);
        var isVariance = name.EndsWith(".running_var", StringComparison.Ordinal);
        foreach (var value in values)
        {
            if (!float.IsFinite(value))
            {
                _ = float.IsNaN(value) ? nan++ : infinite++;
            }
            else if (isVariance && value < 0)
            {
                negative++;
            }
        }

        var counts = new[]
        {
            (nan, "NaN"),
            (infinite, tensor.Type == torch.ScalarType.Float64 ? "infinite or beyond float32" : "infinite"),
            (negative, "negative"),
        }
            .Where(count => count.Item1 > 0)
            .Select(count => $"{count.Item1} {count.Item2}")
            .ToList();
        return counts.Count == 0 ? null : $"{name} ({string.Join(", ", counts)} of {values.Length})";
    }

    /// <summary>Copies the weights into the modules of their architecture.</summary>
    public void CopyTo(NetworkModule network)
    {
        using var withoutGradients = torch.no_grad();
        foreach (var (name, target) in network.state_dict().Where(pair => _tensors.ContainsKey(pair.Key)))
        {
            using var values = TensorData.FromValues(_tensors[name].ToSingles(), target.shape).ToTensor();
            target.copy_(values);
        }
    }

    /// <summary>The elements of one tensor, row-major.</summary>
    public float[] Values(string name) => _tensors[name].ToSingles();

    /// <summary>A normalisation with its fixed statistics: value × scale + shift, by channel.</summary>
    /// <exception cref="WeightsException">A scale or shift is beyond float32.</exception>
    public (double[] Scale, double[] Shift) ScaleAndShift(string name)
    {
        var (gamma, beta, mean, variance) = (
            Values(name + ".weight"),
            Values(name + ".bias"),
            Values(name + ".running_mean"),
            Values(name + ".running_var")
        );
        var scale = gamma.Zip(variance, (factor, spread) => factor / Math.Sqrt(spread + Normalization.Epsilon)).ToArray();
        double[] shift = [.. scale.Select((factor, i) => beta[i] - (mean[i] * factor))];
        ThrowIfBeyond(name, scale.Concat(shift).Count(value => !float.IsFinite((float)value)), "its scale or shift");
        return (scale, shift);
    }

    /// <summary>A convolution, and with the normalisation that is folded into it a bias. Rounded once.</summary>
    /// <exception cref="WeightsException">The product is beyond float32.</exception>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public (float[] Weights, float[]? Bias) WeightsAndBias(Layer convolution)
    {
        var weights = Values(convolution.Name + ".weight");
        if (convolution.Operation is not Convolution { Norm: { } norm })
        {
            return (weights, null);
        }

        var folded = (float[])weights.Clone();
        var (scale, shift) = ScaleAndShift(norm);
        var perOutput = folded.Length / scale.Length;
        var beyond = 0;
        for (var i = 0; i < folded.Length; i++)
        {
            folded[i] = (float)(folded[i] * scale[i / perOutput]);
            beyond += float.IsFinite(folded[i]) ? 0 : 1;
        }

        ThrowIfBeyond(norm, beyond, $"its scale times '{convolution.Name}.weight'");
        return (folded, Array.ConvertAll(shift, value => (float)value));
    }

    private void ThrowIfBeyond(string norm, int count, string what)
    {
        if (count > 0)
        {
            throw new WeightsException(
                $"The normalisation '{norm}' of {Source} is not fit for use: {what} is beyond float32 in {count} channels or "
                    + "weights. Take weights of an earlier epoch, or download the file again."
            );
        }
    }

    private static void Report(List<string> problems, string what, IEnumerable<string> names)
    {
        var all = names.Order(StringComparer.Ordinal).ToList();
        if (all.Count > 0)
        {
            var more = all.Count > MostNamesInAnError ? $" and {all.Count - MostNamesInAnError} more" : "";
            problems.Add($"{what} ({all.Count}): {string.Join(", ", all.Take(MostNamesInAnError))}{more}");
        }
    }

    private static string HashOf(string path)
    {
        using var stream = File.OpenRead(path);
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }

    private static string OriginOf(string title, IReadOnlyDictionary<string, string> metadata)
    {
        var training = metadata.TryGetValue("trained_on", out var data) ? $", trained on {data}" : "";
        var accuracy = metadata.TryGetValue("test_accuracy", out var measured) ? $", accuracy {measured}" : "";
        return $"{title}{training}{accuracy}";
    }

    private static Preprocessing? PreprocessingOf(string path, IReadOnlyDictionary<string, string> metadata)
    {
        if (!metadata.TryGetValue("mean", out var mean) || !metadata.TryGetValue("std", out var std))
        {
            return null;
        }

        try
        {
            return new Preprocessing(Numbers(mean), Numbers(std));
        }
        catch (Exception failure) when (failure is FormatException or ArgumentException)
        {
            throw new WeightsException(
                $"The metadata of '{path}' says mean '{mean}' and std '{std}'; three numbers each, separated by commas, are expected.",
                failure
            );
        }

        static float[] Numbers(string text) =>
            [.. text.Split(',').Select(number => float.Parse(number, NumberStyles.Float, CultureInfo.InvariantCulture))];
    }
}
