using System.CommandLine;
using System.Globalization;
using Distributed.Networks;
using Spectre.Console;

namespace Distributed.Standalone;

/// <summary><c>backbones</c>: lists the bases that runs can name by one word.</summary>
internal sealed class BackbonesCommand : Command
{
    public BackbonesCommand()
        : base("backbones", "List the bases that --backbone names by one word")
    {
        var volume = CommandOptions.Volume();
        Add(volume);
        SetAction(
            (result, cancellationToken) =>
                CommandOptions.GuardAsync(() => Task.FromResult(Show(Path.GetFullPath(result.GetValue(volume)!))), cancellationToken)
        );
    }

    private static int Show(string volume)
    {
        var setting = Environment.GetEnvironmentVariable(BackboneList.FileVariable);
        if (!string.IsNullOrEmpty(setting) && BackboneList.FindError(setting) is { } error)
        {
            throw new CommandException($"{BackboneList.FileVariable} {error}.");
        }

        var table = new Table().Border(TableBorder.Simple);
        foreach (var title in (string[])["Name", "Pixels", "Features", "MB"])
        {
            table.AddColumn(new TableColumn(title).NoWrap().PadRight(1));
        }

        table.AddColumn("What it is");
        foreach (var known in BackboneList.Load(setting).All)
        {
            var isHere = known.Url is null || File.Exists(Path.Combine(volume, known.VolumePath));
            table.AddRow(
                Markup.Escape(known.Name),
                known.InputSize.ToString(CultureInfo.InvariantCulture),
                known.FeatureSize?.ToString(CultureInfo.InvariantCulture) ?? "?",
                known.Megabytes?.ToString(CultureInfo.InvariantCulture) ?? "?",
                Markup.Escape(
                    $"{known.Title}, {known.TrainedOn}. {known.Description}. Licence {known.Licence}; {(isHere ? "at hand" : "downloaded once")}"
                )
            );
        }

        table.AddRow("random", "96", "", "", "Drawn from --seed: the floor to compare with");
        AnsiConsole.Write(table);
        AnsiConsole.WriteLine("Any other base is named by the path of its file: .safetensors, .pth or .onnx.");
        return 0;
    }
}
