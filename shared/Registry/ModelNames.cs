using System.Text.RegularExpressions;

namespace Distributed.Registry;

/// <summary>Names of models and aliases: they stand in addresses and file names.</summary>
public static partial class ModelNames
{
    /// <summary>What a name must be, for error messages.</summary>
    public const string Rule =
        "1 to 64 lower-case letters, digits, dots, dashes and underscores, beginning and ending with a letter or digit";

    /// <summary>Whether a model may have this name.</summary>
    public static bool IsName(string text) => Name().IsMatch(text);

    /// <summary>Whether an alias may have this name: a number would be taken for a version.</summary>
    public static bool IsAlias(string text) => IsName(text) && !text.All(char.IsAsciiDigit);

    [GeneratedRegex("^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Name();
}
