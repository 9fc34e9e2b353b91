using System.Text.RegularExpressions;

namespace Distributed.Networks;

/// <summary>The bases that runs can name by one word: those of the program, and those that an operator added.</summary>
public sealed partial class BackboneList
{
    /// <summary>The setting that names the file of bases and mirrors, the same for all hosts.</summary>
    public const string FileSetting = "Backbones:File";

    /// <summary>The environment variable of that setting.</summary>
    public const string FileVariable = "Backbones__File";

    private const int SmallestInput = 32,
        LargestInput = 1024;

    private readonly Dictionary<string, PretrainedBase> _byName;

    private BackboneList(IReadOnlyList<PretrainedBase> all)
    {
        All = all;
        _byName = all.ToDictionary(known => known.Name);
    }

    /// <summary>All of them, those of the program first. Mirrors stand in the place of the publishers' addresses.</summary>
    public IReadOnlyList<PretrainedBase> All { get; }

    /// <summary>Joins the program's bases with those of a file.</summary>
    /// <param name="path">Of <see cref="FileSetting"/>; null or empty for the program's alone.</param>
    /// <exception cref="InvalidDataException">The file is missing or wrong; the message names the field.</exception>
    public static BackboneList Load(string? path)
    {
        if (string.IsNullOrEmpty(path))
        {
            return new BackboneList(PretrainedBases.All);
        }

        var file = BackboneFile.Read(path);
        var all = PretrainedBases.All.Concat(file.Bases.Select((added, i) => Create(added, $"{path}: bases[{i}]"))).ToList();
        foreach (var name in file.Mirrors.Keys.Where(name => all.All(known => known.Name != name)))
        {
            throw new InvalidDataException($"{path}: mirrors.{name}: there is no base of that name.");
        }

        foreach (var name in file.Mirrors.Keys.Where(name => all.Any(known => known.Name == name && known.Url is null)))
        {
            throw new InvalidDataException($"{path}: mirrors.{name}: the file is delivered with the program, and is never fetched.");
        }

        if (all.GroupBy(known => known.Name).FirstOrDefault(same => same.Count() > 1) is { Key: var twice })
        {
            throw new InvalidDataException($"{path}: the name {twice} is taken twice.");
        }

        return new BackboneList([
            .. all.Select(known =>
                file.Mirrors.TryGetValue(known.Name, out var mirror)
                    ? known with
                    {
                        Url = AddressOf(mirror),
                        Extension = known.Extension,
                    }
                    : known
            ),
        ]);
    }

    /// <summary>What is wrong with a file; null where nothing is.</summary>
    public static string? FindError(string path)
    {
        try
        {
            Load(path);
            return null;
        }
        catch (InvalidDataException exception)
        {
            return $"is wrong: {exception.Message.TrimEnd('.')}";
        }
    }

    /// <summary>Finds one by its name; null where there is none, as for a path and for random weights.</summary>
    public PretrainedBase? Find(string name) => _byName.GetValueOrDefault(name);

    /// <summary>What is wrong with a name; null where it is one of the list or <c>random</c>, or looks like a path.</summary>
    public string? Complaint(string backbone)
    {
        ArgumentNullException.ThrowIfNull(backbone);
        return backbone == PretrainedBases.Random || _byName.ContainsKey(backbone) || !IsName(backbone)
            ? null
            : $"is '{backbone}', and there is no base of that name; there are {string.Join(", ", All.Select(known => known.Name))} and {PretrainedBases.Random}. A path has a slash or an ending, as in ./{backbone}";
    }

    /// <summary>Whether a text can be a base's name: a path has a separator or an ending in it.</summary>
    public static bool IsName(string text) => Name().IsMatch(text);

    private static PretrainedBase Create(AddedBackbone added, string where)
    {
        if (!IsName(added.Name) || added.Name == PretrainedBases.Random)
        {
            throw Wrong("name", added.Name, $"lower-case letters, digits and hyphens, and not {PretrainedBases.Random}");
        }

        var url = AddressOf(added.Url);
        var isOnnx = Path.GetExtension(url.AbsolutePath) == ".onnx";
        var architecture = NetworkArchitecture.All.FirstOrDefault(known => known.Name == added.Architecture);
        if (architecture is null && (added.Architecture is not null || !isOnnx))
        {
            throw Wrong(
                "architecture",
                added.Architecture,
                $"one of {string.Join(", ", NetworkArchitecture.All.Select(known => known.Name))}, and left out for an ONNX file alone"
            );
        }

        if (added.Sha256 is not null && !Sha256().IsMatch(added.Sha256))
        {
            throw Wrong("sha256", added.Sha256, "64 lower-case hexadecimal digits");
        }

        if (added.InputSize is < SmallestInput or > LargestInput)
        {
            throw Wrong("inputSize", $"{added.InputSize}", $"from {SmallestInput} to {LargestInput}");
        }

        try
        {
            return new PretrainedBase(
                added.Name,
                added.Title ?? architecture?.Title ?? added.Name,
                architecture is null ? null : PretrainedBase.ParametersOf(architecture),
                architecture?.FeatureSize
            )
            {
                Architecture = architecture,
                Description = added.Description,
                TrainedOn = added.TrainedOn,
                Licence = added.Licence,
                InputSize = added.InputSize,
                Megabytes = null,
                Url = url,
                Sha256 = added.Sha256,
                Output = added.Output,
                Preprocessing = isOnnx
                    ? new Preprocessing(added.Mean ?? Preprocessing.Imagenet.Mean, added.Std ?? Preprocessing.Imagenet.Std, added.IsBgr)
                    : null,
            };
        }
        catch (ArgumentException exception)
        {
            throw new InvalidDataException($"{where}.mean and .std: {exception.Message}", exception);
        }

        InvalidDataException Wrong(string field, string? value, string needed) =>
            new($"{where}.{field} is '{value}'; it must be {needed}.");
    }

    /// <summary>What has no scheme is a path.</summary>
    private static Uri AddressOf(string address) =>
        Uri.TryCreate(address, UriKind.Absolute, out var url) ? url : new Uri(Path.GetFullPath(address));

    [GeneratedRegex("^[a-z0-9]+(-[a-z0-9]+)*$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Name();

    [GeneratedRegex("^[0-9a-f]{64}$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Sha256();
}
