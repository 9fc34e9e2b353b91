using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Datasets.Sources;
using Distributed.Imaging;

namespace Distributed.Standalone.Tests;

public sealed class RunTests : IDisposable
{
    private readonly CommandLine _command = new();

    public void Dispose() => _command.Dispose();

    [Fact]
    public async Task A_run_ends_with_its_result_as_json_and_the_next_one_takes_its_features_from_the_cache()
    {
        var first = await _command.ExecuteAsync(_command.Run("--json"));
        var second = await _command.ExecuteAsync(_command.Run("--json", "--learning-rate", "0.01"));

        Assert.Equal((0, 0), (first.Code, second.Code));
        var (one, two) = (CommandLine.Parse(first.Output[^1]), CommandLine.Parse(second.Output[^1]));
        Assert.Single(first.Output);
        Assert.Equal("completed", one.GetProperty("state").GetString());
        Assert.Equal((100, 90), (one.GetProperty("testImages").GetInt32(), one.GetProperty("trainImages").GetInt32()));
        Assert.InRange(one.GetProperty("testAccuracy").GetDouble(), 0.05, 1);
        Assert.Equal((false, true), (one.GetProperty("featureCacheHit").GetBoolean(), two.GetProperty("featureCacheHit").GetBoolean()));
        var seconds = one.GetProperty("seconds");
        var stages = new[] { "ingest", "features", "train", "evaluate" }.Sum(stage => seconds.GetProperty(stage).GetDouble());
        Assert.InRange(seconds.GetProperty("total").GetDouble(), stages, stages + 30);
        Assert.StartsWith(
            "<!DOCTYPE html>",
            await File.ReadAllTextAsync(one.GetProperty("reportPath").GetString()!),
            StringComparison.Ordinal
        );
        Assert.True(File.Exists(one.GetProperty("headPath").GetString()));

        // The table is for people, beside the JSON.
        Assert.Contains(first.Errors, line => line.StartsWith("Test accuracy", StringComparison.Ordinal));
        var runs = await _command.ReadRunsAsync();
        Assert.Equal([one.GetProperty("runId").GetGuid(), two.GetProperty("runId").GetGuid()], runs.Select(run => run.Id));
    }

    [Fact]
    public async Task Without_json_the_tables_are_the_output_and_images_are_exported_on_demand()
    {
        var exported = Path.Combine(_command.Root, "images");

        var ended = await _command.ExecuteAsync(_command.Run("--export-png", exported, "--name", "shown"));

        Assert.Equal(0, ended.Code);
        Assert.Empty(ended.Errors);
        Assert.Contains(ended.Output, line => line.StartsWith("Test accuracy", StringComparison.Ordinal));
        Assert.All(
            SampleDataset.ClassNames,
            name => Assert.Contains(ended.Output, line => line.TrimStart().StartsWith(name, StringComparison.Ordinal))
        );
        var report = Assert.Single(ended.Output, line => line.StartsWith("Report", StringComparison.Ordinal));
        Assert.True(File.Exists(report["Report".Length..].Trim()));
        Assert.Equal(
            ["test", "train", "validation"],
            Directory.GetDirectories(exported).Select(Path.GetFileName).Order(StringComparer.Ordinal)
        );
        Assert.Equal(
            SampleDataset.ClassNames.Order(StringComparer.Ordinal),
            Directory.GetDirectories(Path.Combine(exported, "train")).Select(Path.GetFileName).Order(StringComparer.Ordinal)
        );
        Assert.Equal(
            [100, 90, 10],
            new[] { "test", "train", "validation" }.Select(split =>
                Directory.GetFiles(Path.Combine(exported, split), "*.png", SearchOption.AllDirectories).Length
            )
        );
    }

    [Fact]
    public async Task What_a_run_found_in_its_folder_is_told_in_terminal_and_json()
    {
        var folder = Path.Combine(_command.Root, "pets");
        for (var image = 0; image < 16; image++)
        {
            Write($"class{image % 2}/{image:D2}.png", Picture(image));
        }

        Write("class1/mislaid.png", Picture(0));
        Write("class0/notes.txt", "no picture"u8.ToArray());

        var shown = await _command.ExecuteAsync(_command.Run("--dataset", folder, "--backbone", "random"));
        var refused = await _command.ExecuteAsync(_command.Run("--dataset", folder, "--backbone", "random", "--max-skipped", "0.01"));
        var ended = await _command.ExecuteAsync(_command.Run("--dataset", folder, "--json"));

        Assert.Equal((0, 1, 0), (shown.Code, refused.Code, ended.Code));
        var output = string.Join(' ', string.Join(' ', shown.Output).Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains("1 of 18 files: 1 ", output, StringComparison.Ordinal);
        Assert.Contains("none given; train, validation and test are drawn", output, StringComparison.Ordinal);
        Assert.DoesNotContain("Top-", output, StringComparison.Ordinal);
        Assert.Contains(shown.Output, line => line.StartsWith("Warning  5.6 % of the files were skipped", StringComparison.Ordinal));
        Assert.Contains(
            shown.Output,
            line =>
                line.StartsWith("Warning  1 image is in more than one class", StringComparison.Ordinal)
                && line.Contains("'class0/00.png' and 'class1/mislaid.png'", StringComparison.Ordinal)
        );
        Assert.Contains("that maxSkipped allows", Assert.Single(refused.Errors), StringComparison.Ordinal);
        var json = CommandLine.Parse(Assert.Single(ended.Output));
        Assert.Equal(
            ("pets", folder, 1),
            (
                json.GetProperty("input").GetProperty("name").GetString(),
                json.GetProperty("input").GetProperty("source").GetString(),
                json.GetProperty("input").GetProperty("skippedCount").GetInt32()
            )
        );
        var warnings = json.GetProperty("warnings").EnumerateArray().Select(warning => warning.GetString()!).ToList();
        Assert.Equal(3, warnings.Count);
        Assert.Contains("The backbone demo has seen photos of 32 px only", warnings[2], StringComparison.Ordinal);
        Assert.Contains(ended.Errors, line => line.StartsWith("Warning  The backbone demo", StringComparison.Ordinal));

        void Write(string name, byte[] content)
        {
            var path = Path.Combine(folder, name);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllBytes(path, content);
        }

        static byte[] Picture(int image)
        {
            var pixels = new byte[20 * 20 * 3];
            new Random(image).NextBytes(pixels);
            return PngEncoder.Encode(pixels, 20, 20);
        }
    }

    [Fact]
    public async Task An_onnx_file_and_a_table_of_labels_become_a_head_and_exported_images_are_listed_with_their_names()
    {
        var folder = Path.Combine(_command.Root, "photos");
        Directory.CreateDirectory(Path.Combine(folder, "all"));
        var rows = new List<string> { "file_name;label;split" };
        for (var image = 0; image < 24; image++)
        {
            var pixels = new byte[20 * 20 * 3];
            new Random(image).NextBytes(pixels);
            await File.WriteAllBytesAsync(Path.Combine(folder, "all", $"été {image:D2}.png"), PngEncoder.Encode(pixels, 20, 20));
            rows.Add($"all/été {image:D2}.png;{(image % 3 == 0 ? "cat" : "dog")};{(image < 16 ? "train" : "test")}");
        }

        await File.WriteAllBytesAsync(Path.Combine(folder, "all", "left.jpg"), [1]);
        await File.WriteAllLinesAsync(Path.Combine(folder, "labels.csv"), rows);
        var exported = Path.Combine(_command.Root, "images");

        var model = Path.Combine(AppContext.BaseDirectory, "Golden", "onnx", "residual.onnx");
        var ended = await _command.ExecuteAsync(
            _command.Run("--dataset", folder, "--backbone", model, "--input-size", "32", "--json", "--export-png", exported)
        );

        Assert.True(ended.Code == 0, string.Join('\n', ended.Errors));
        var json = CommandLine.Parse(Assert.Single(ended.Output));
        Assert.Equal(8, json.GetProperty("testImages").GetInt32());
        Assert.Contains("the classifier of 'logits' is removed", json.GetProperty("backbone").GetString());
        var input = json.GetProperty("input");
        Assert.Equal(1, input.GetProperty("skippedCount").GetInt32());
        Assert.Contains(
            "Labels are read from 'labels.csv', columns 'file_name', 'label', 'split', 24 rows.",
            input.GetProperty("notes").EnumerateArray().Select(note => note.GetString())
        );
        var images = await File.ReadAllLinesAsync(Path.Combine(exported, "images.csv"));
        Assert.Equal("split,class,file,source", images[0]);
        Assert.Equal(25, images.Length);
        Assert.Equal("test,cat,test/cat/000016-été 18.png,all/été 18.png", images[17]);
        Assert.All(images[1..], line => Assert.True(File.Exists(Path.Combine(exported, line.Split(',')[2]))));
    }

    [Fact]
    public async Task What_a_killed_process_left_is_finished_by_the_next_one_on_its_volume()
    {
        await using var killed = CommandLine.Start(_command.Run("--json", "--epochs", "2000", "--patience", "2000", "--name", "killed"));
        await killed.WaitForLineAsync(line => line.Contains("Ingesting", StringComparison.Ordinal));

        var refused = await _command.ExecuteAsync(_command.Run());
        Assert.Equal(1, refused.Code);
        Assert.Contains("in use by another process", Assert.Single(refused.Errors));

        await killed.WaitForLineAsync(line => line.Contains("Training the head", StringComparison.Ordinal), TimeSpan.FromSeconds(60));
        killed.Kill();
        Assert.Equal(137, await killed.WaitForExitAsync());
        Assert.Equal([RunState.Training], (await _command.ReadRunsAsync()).Select(run => run.State));

        var next = await _command.ExecuteAsync(_command.Run("--json"));

        Assert.Equal(0, next.Code);
        Assert.Contains("Going on with 1 unfinished run of this volume first.", next.Errors);
        Assert.Equal(
            [("killed", RunState.Completed), (null, RunState.Completed)],
            (await _command.ReadRunsAsync()).Select(run => (run.Name, run.State))
        );
    }

    [Fact]
    public async Task An_interrupt_stops_a_run_with_a_word_on_how_to_go_on()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Signals are sent as Linux has them.");
        await using var process = CommandLine.StartInterruptible(_command.Run("--epochs", "10000", "--patience", "10000"));
        await process.WaitForLineAsync(line => line.Contains("Ingesting", StringComparison.Ordinal));

        using (var kill = System.Diagnostics.Process.Start("kill", ["-INT", $"{process.Id}"]))
        {
            await kill.WaitForExitAsync();
        }

        Assert.Equal(130, await process.WaitForExitAsync());
        Assert.Contains(
            $"Stopped. The run goes on where it was when a command is started on the volume {_command.Volume} again.",
            process.Lines
        );
        var run = Assert.Single(await _command.ReadRunsAsync());
        Assert.False(run.State.IsFinal(), $"The run is {run.State}.");
    }
}
