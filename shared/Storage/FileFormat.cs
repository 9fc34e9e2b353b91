namespace Distributed.Storage;

/// <summary>What files of a format are for.</summary>
public enum FileKind
{
    /// <summary>Images of the formats that are decoded.</summary>
    Image,

    /// <summary>Images of other formats.</summary>
    ForeignImage,

    /// <summary>Moving pictures.</summary>
    Video,

    /// <summary>Sound.</summary>
    Sound,

    /// <summary>Pages of text and pictures.</summary>
    Document,

    /// <summary>Files packed into one, or one that is compressed.</summary>
    Archive,

    /// <summary>Weights of networks.</summary>
    Weights,

    /// <summary>Tables, arrays and databases.</summary>
    Data,

    /// <summary>Programs.</summary>
    Program,

    /// <summary>Plain text.</summary>
    Text,

    /// <summary>What stands in place of the file that was meant.</summary>
    Substitute,
}

/// <summary>A format by which files are recognised, see <see cref="FileFormats"/>.</summary>
/// <param name="Name">What a file of it is, for a sentence: "a HEIC image".</param>
/// <param name="Kind">What it is for.</param>
public sealed record FileFormat(string Name, FileKind Kind)
{
    /// <summary>What to do, a phrase, where that is the same whatever the file was meant to be; else null.</summary>
    public string? Remedy { get; init; }

    /// <summary>A program that makes an image of it that is read, a phrase with a comma before it: ", for example with 'magick …'"; empty where none is widely known.</summary>
    public string Example { get; init; } = "";

    /// <summary>A format of images that is known and not decoded.</summary>
    /// <param name="name">What a file of it is.</param>
    /// <param name="ending">How names of such files end, where ImageMagick reads them; else null.</param>
    internal static FileFormat Foreign(string name, string? ending = null) =>
        new(name, FileKind.ForeignImage)
        {
            Example = ending is null ? "" : $", for example with ImageMagick: magick mogrify -format jpg *.{ending}",
        };

    /// <summary>What a camera's sensor has seen.</summary>
    /// <param name="name">The name of the format.</param>
    internal static FileFormat CameraRaw(string name) =>
        new($"a camera's raw file ({name})", FileKind.ForeignImage) { Example = ", for example with darktable or RawTherapee" };
}
