using Distributed.Fuzzing.Targets;

namespace Distributed.Fuzzing;

/// <summary>All parsers of data from outside.</summary>
internal static class FuzzTargets
{
    private static readonly Dictionary<string, Func<FuzzTarget>> Known = new(StringComparer.Ordinal)
    {
        ["jpeg"] = () => new ImageTarget("jpeg"),
        ["png"] = () => new ImageTarget("png"),
        ["gif"] = () => new ImageTarget("gif"),
        ["webp"] = () => new ImageTarget("webp"),
        ["bmp"] = () => new ImageTarget("bmp"),
        ["fitting"] = () => new FittingTarget(),
        ["stl10"] = () => new Stl10Target(),
        ["tar"] = () => new ArchiveTargets("tar"),
        ["tar-gz"] = () => new ArchiveTargets("tar-gz"),
        ["zip"] = () => new ArchiveTargets("zip"),
        ["tar-names"] = () => new ArchiveNamesTarget("tar-names"),
        ["zip-names"] = () => new ArchiveNamesTarget("zip-names"),
        ["safetensors"] = () => new SafetensorsTarget(),
        ["pth-zip"] = () => new CheckpointTarget("pth-zip"),
        ["pth-legacy"] = () => new CheckpointTarget("pth-legacy"),
        ["weight-files"] = () => new WeightFileTarget(),
        ["pickle"] = () => new PickleTarget(),
        ["specification"] = () => new SpecificationTarget(),
        ["submit-message"] = () => new MessageTarget(),
        ["http-body"] = () => new HttpBodyTarget(),
        ["folders"] = () => new LayoutTarget(),
        ["labels"] = () => new LabelTableTarget(),
        ["file-index"] = () => new FileIndexTarget(),
        ["download-notes"] = () => new NotesTarget(),
    };

    private static readonly string[] Faulty = ["throws", "dies", "hangs", "takes-memory"];

    public static IReadOnlyList<string> Names { get; } = [.. Known.Keys];

    public static FuzzTarget Create(string name) => Faulty.Contains(name, StringComparer.Ordinal) ? new FaultyTarget(name) : Known[name]();
}
