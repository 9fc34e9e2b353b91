namespace Distributed.Contracts;

/// <summary>The command line of the one-process host that asks for a run; options at their defaults are left out.</summary>
public static class RunCommandLine
{
    /// <summary>What stands before the options.</summary>
    public const string Command = "dotnet run -c Release --project services/Standalone -- run";

    /// <summary>The options of a specification, each name followed by its value.</summary>
    public static IReadOnlyList<string> Arguments(RunSpecification specification)
    {
        ArgumentNullException.ThrowIfNull(specification);
        // What follows another setting where it is not given is at its default where it follows.
        var defaults = new RunSpecification { Backbone = specification.Backbone };
        var usualBackbone = new RunSpecification().Backbone;
        return
        [
            .. from setting in RunSettings.All
            where !setting.IsLabel
            let value = setting.TextOf(specification)
            where value is not null && value != (setting.Field == "backbone" ? usualBackbone : setting.TextOf(defaults))
            from argument in new[] { setting.Option, value }
            select argument,
        ];
    }

    /// <summary>The whole command, quoted for a POSIX shell.</summary>
    public static string Write(RunSpecification specification) => string.Join(' ', Arguments(specification).Select(Quote).Prepend(Command));

    private static string Quote(string argument) =>
        argument.Length > 0
        && argument.All(character => char.IsAsciiLetterOrDigit(character) || "-_./,:=".Contains(character, StringComparison.Ordinal))
            ? argument
            : $"'{argument.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
