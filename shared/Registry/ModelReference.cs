using System.Globalization;

namespace Distributed.Registry;

/// <summary>Which version of a model is meant, as <c>NAME@ALIAS</c> or <c>NAME@NUMBER</c>.</summary>
/// <param name="Name">The model.</param>
/// <param name="Version">The alias, or the number.</param>
public sealed record ModelReference(string Name, string Version)
{
    /// <summary>The number, where it is one.</summary>
    public int? Number => int.TryParse(Version, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    /// <summary>Reads a reference.</summary>
    /// <exception cref="RegistryException">It is none.</exception>
    public static ModelReference Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return
            text.Split('@') is [var name, var version]
            && ModelNames.IsName(name)
            && (
                ModelNames.IsAlias(version)
                || (int.TryParse(version, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0)
            )
            ? new ModelReference(name, version)
            : throw new RegistryException(
                RegistryProblem.Invalid,
                $"'{(text.Length <= 200 ? text : text[..200] + "…")}' names no version of a model; write NAME@ALIAS or NAME@NUMBER, such as shapes@champion or shapes@3.",
                "model"
            );
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Name}@{Version}";
}
