using System.Text;
using ADRaffy.ENSNormalize;
using Distributed.Storage;

namespace Distributed.Datasets.Sources;

/// <summary>The one rule for names of classes, wherever they come from: folders, archives, or <c>class_names.txt</c>.</summary>
internal static class ClassName
{
    /// <summary>Longest name, in UTF-16 code units of its composed form.</summary>
    public const int MaximalLength = 200;

    /// <summary>The name in Unicode's composed form (NFC), in which "café" is one name however its é was written.</summary>
    /// <param name="text">The name as the source has it.</param>
    /// <param name="place">Where it stands, for the error: a path.</param>
    /// <exception cref="DatasetException">It is too long, or has characters that cannot be kept.</exception>
    public static string Read(string text, string place)
    {
        var name = SafeText.IsPlain(text) ? Compose(text) : null;
        return name is { Length: > 0 and <= MaximalLength }
            ? name
            : throw new DatasetException(
                $"'{SafeText.Shorten(place, 400)}' names the class '{SafeText.Shorten(text, 40)}'; a name has 1 to {MaximalLength} characters, in UTF-8, without control characters. Rename it."
            );
    }

    /// <summary>The composed form (NFC) of a text.</summary>
    // .NET's own normalisation returns its argument unchanged where globalisation is invariant, as in all hosts here.
    public static string Compose(string text) => Ascii.IsValid(text) ? text : ENSNormalize.NF.NFC(text);
}
