using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Net;
using Distributed.Datasets;
using Distributed.Datasets.CustomVision;
using Distributed.Datasets.Downloads;

namespace Distributed.Standalone;

/// <summary><c>import</c>: copies the images of other systems into class folders.</summary>
internal sealed class ImportCommand : Command
{
    /// <summary>The variable that the training key is read from: on a command line everybody on the machine could read it.</summary>
    private const string KeyVariable = "CUSTOM_VISION_TRAINING_KEY";

    public ImportCommand()
        : base("import", "Copy the images of another system into class folders") => Add(CustomVision());

    private static Command CustomVision()
    {
        var endpoint = new Option<string>("--endpoint")
        {
            Description = "Endpoint of the training resource, such as https://NAME.cognitiveservices.azure.com/",
            HelpName = "URL",
            Required = true,
            Validators = { RefuseRelative },
        };
        var project = new Option<Guid>("--project")
        {
            Description = "Id of the project",
            HelpName = "ID",
            Required = true,
        };
        var output = new Option<string>("--output")
        {
            Description = "The folder to write; an import that was cut off goes on with what is missing there",
            HelpName = "DIR",
            Required = true,
            Validators = { CommandOptions.RefuseEmpty },
        };
        var command = new Command(
            "custom-vision",
            $"Copy the tagged images of a project of Azure Custom Vision; the training key is read from the variable {KeyVariable}"
        )
        {
            endpoint,
            project,
            output,
        };
        command.SetAction(
            (result, cancellationToken) =>
                CommandOptions.GuardAsync(
                    () =>
                        ImportAsync(
                            new Uri(result.GetRequiredValue(endpoint)),
                            result.GetRequiredValue(project),
                            result.GetRequiredValue(output),
                            cancellationToken
                        ),
                    cancellationToken
                )
        );
        return command;
    }

    private static async Task<int> ImportAsync(Uri endpoint, Guid project, string output, CancellationToken cancellationToken)
    {
        if (Environment.GetEnvironmentVariable(KeyVariable) is not { Length: > 0 } key)
        {
            throw new CommandException($"{KeyVariable} is not set; give it the training key of the project's resource.");
        }

        // Who names a server of their own network means it; anybody else's may not lead there.
        var isNear =
            endpoint.IsLoopback || (IPAddress.TryParse(endpoint.DnsSafeHost, out var address) && !GuardedHttpHandler.IsPublic(address));
        using var http = new HttpClient(new GuardedHttpHandler(isNear, "--endpoint"));
        try
        {
            var outcome = await new CustomVisionImport(http, endpoint, key, TimeProvider.System).RunAsync(
                project,
                output,
                new ConsoleProgress(),
                cancellationToken
            );
            foreach (var warning in outcome.Warnings)
            {
                await Console.Error.WriteLineAsync($"warning: {warning}");
            }

            await Console.Out.WriteLineAsync(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"""
                    {outcome.Project}: {outcome.Images} images in {outcome.Classes.Count} classes, {outcome.Fetched} of them fetched now
                    Train on them: run --dataset {output}
                    """
                )
            );
            return 0;
        }
        catch (DatasetException exception)
        {
            throw new CommandException(exception.Message, exception);
        }
    }

    private static void RefuseRelative(OptionResult result)
    {
        if (
            !Uri.TryCreate(result.GetValueOrDefault<string>(), UriKind.Absolute, out var address)
            || address.Scheme is not ("http" or "https")
        )
        {
            result.AddError("--endpoint must be an http or https address, such as https://NAME.cognitiveservices.azure.com/");
        }
    }

    /// <summary>A line now and then, on standard error: standard output is for results.</summary>
    private sealed class ConsoleProgress : IProgress<(int Done, int Total)>
    {
        private static readonly TimeSpan Pause = TimeSpan.FromSeconds(2);

        private readonly Lock _lock = new();
        private long _told = TimeProvider.System.GetTimestamp();

        public void Report((int Done, int Total) value)
        {
            lock (_lock)
            {
                if (TimeProvider.System.GetElapsedTime(_told) < Pause)
                {
                    return;
                }

                _told = TimeProvider.System.GetTimestamp();
            }

            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{value.Done} of {value.Total} images"));
        }
    }
}
