using System.CommandLine;
using System.CommandLine.Parsing;
using Distributed.Contracts;
using Distributed.Networks;

namespace Distributed.Standalone;

/// <summary>The options that say what to run: one for each setting of a specification, read as its JSON is.</summary>
internal sealed class SpecificationOptions
{
    private readonly List<(RunSetting Setting, Option Option)> _options = [];

    public SpecificationOptions(Command command)
    {
        foreach (var setting in RunSettings.All)
        {
            Option option = setting.IsRepeated
                ? new Option<string[]>(setting.Option) { HelpName = setting.Placeholder }
                : new Option<string>(setting.Option) { HelpName = setting.Placeholder };
            option.Description =
                setting.Help
                + (setting.Limits.Length > 0 ? $"; {setting.Limits}" : "")
                + (string.IsNullOrEmpty(setting.Default) ? "" : $" [default: {setting.Default}]");
            option.Validators.Add(CommandOptions.RefuseOption);
            command.Add(option);
            _options.Add((setting, option));
        }
    }

    /// <summary>The specification that the options ask for.</summary>
    /// <exception cref="CommandException">Something is wrong with them; all of it is reported.</exception>
    public RunSpecification Read(ParseResult result)
    {
        var given =
            from option in _options
            let found = result.GetResult(option.Option)
            where found is { Implicit: false }
            select (option.Setting, (IReadOnlyList<string>)[.. found.Tokens.Select(token => Resolve(option.Setting, token.Value))]);
        return RunSpecificationReader.Read(given, out var errors) ?? throw new CommandException(string.Join(' ', errors.Select(Describe)));
    }

    /// <summary>What is wrong, with the option's name for the field's.</summary>
    public static string Describe(SpecificationError error) => $"{RunSettings.Find(error.Field)?.Option ?? error.Field} {error.Message}.";

    // The name of a base stays one, and an address, so that the error names it as it was given.
    private static string Resolve(RunSetting setting, string text) =>
        setting.Words.Count == 0
        || setting.Words.Contains(text)
        || string.IsNullOrWhiteSpace(text)
        || text.Contains("://", StringComparison.Ordinal)
        || (setting.Field == "backbone" && BackboneList.IsName(text))
            ? text
            : Path.GetFullPath(text);
}
