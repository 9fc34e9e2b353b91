namespace Distributed.Vision;

/// <summary>The numbers that make one DenseNet (Huang et al.: Densely Connected Convolutional Networks, 2017, table 1).</summary>
/// <param name="Name">Name as in torchvision, such as <c>densenet121</c>.</param>
/// <param name="Title">Name for people, such as <c>DenseNet-121</c>.</param>
/// <param name="GrowthRate">Channels that every dense layer adds.</param>
/// <param name="Blocks">Dense layers of each block.</param>
/// <param name="InitialFeatures">Channels of the first convolution.</param>
public sealed record DenseNetArchitecture(string Name, string Title, int GrowthRate, int[] Blocks, int InitialFeatures)
{
    /// <summary>A bottleneck has this many times the growth rate's channels.</summary>
    public const int BottleneckFactor = 4;

    /// <summary>Smallest height and width that survive the five halvings, pixels.</summary>
    public const int SmallestInput = 32;

    /// <summary>6.95 million parameters without the classifier, 1,024 features.</summary>
    public static DenseNetArchitecture DenseNet121 { get; } = new("densenet121", "DenseNet-121", 32, [6, 12, 24, 16], 64);

    /// <summary>12.5 million parameters, 1,664 features.</summary>
    public static DenseNetArchitecture DenseNet169 { get; } = new("densenet169", "DenseNet-169", 32, [6, 12, 32, 32], 64);

    /// <summary>18.1 million parameters, 1,920 features.</summary>
    public static DenseNetArchitecture DenseNet201 { get; } = new("densenet201", "DenseNet-201", 32, [6, 12, 48, 32], 64);

    /// <summary>26.5 million parameters, 2,208 features.</summary>
    public static DenseNetArchitecture DenseNet161 { get; } = new("densenet161", "DenseNet-161", 48, [6, 12, 36, 24], 96);

    /// <summary>The known ones.</summary>
    public static IReadOnlyList<DenseNetArchitecture> All { get; } = [DenseNet121, DenseNet169, DenseNet201, DenseNet161];

    /// <summary>Numbers an image is turned into.</summary>
    public int FeatureSize
    {
        get
        {
            var channels = InitialFeatures;
            for (var block = 0; block < Blocks.Length; block++)
            {
                channels = (block == 0 ? channels : channels / 2) + (Blocks[block] * GrowthRate);
            }

            return channels;
        }
    }

    /// <summary>Shapes of all tensors of the convolutional base, under torchvision's names without the prefix <c>features.</c>.</summary>
    internal IReadOnlyDictionary<string, long[]> TensorShapes
    {
        get
        {
            var shapes = new Dictionary<string, long[]>();
            var channels = InitialFeatures;
            AddConvolution("conv0", channels, 3, 7);
            AddNormalization("norm0", channels);
            for (var block = 1; block <= Blocks.Length; block++)
            {
                for (var layer = 1; layer <= Blocks[block - 1]; layer++, channels += GrowthRate)
                {
                    var name = $"denseblock{block}.denselayer{layer}";
                    AddNormalization($"{name}.norm1", channels);
                    AddConvolution($"{name}.conv1", BottleneckFactor * GrowthRate, channels, 1);
                    AddNormalization($"{name}.norm2", BottleneckFactor * GrowthRate);
                    AddConvolution($"{name}.conv2", GrowthRate, BottleneckFactor * GrowthRate, 3);
                }

                if (block < Blocks.Length)
                {
                    AddNormalization($"transition{block}.norm", channels);
                    AddConvolution($"transition{block}.conv", channels / 2, channels, 1);
                    channels /= 2;
                }
            }

            AddNormalization("norm5", channels);
            return shapes;

            void AddConvolution(string name, int outputs, int inputs, int size) =>
                shapes.Add($"{name}.weight", [outputs, inputs, size, size]);

            void AddNormalization(string name, int width)
            {
                foreach (var part in new[] { "weight", "bias", "running_mean", "running_var" })
                {
                    shapes.Add($"{name}.{part}", [width]);
                }
            }
        }
    }

    /// <summary>Finds an architecture by its name.</summary>
    /// <exception cref="ArgumentException">The name is unknown; the message lists those known.</exception>
    public static DenseNetArchitecture ByName(string name) =>
        All.FirstOrDefault(known => string.Equals(known.Name, name, StringComparison.OrdinalIgnoreCase))
        ?? throw new ArgumentException(
            $"There is no architecture '{name}'; known are {string.Join(", ", All.Select(known => known.Name))}.",
            nameof(name)
        );
}
