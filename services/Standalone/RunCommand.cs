using System.CommandLine;
using System.CommandLine.Parsing;
using Distributed.AdminApi;
using Distributed.AdminApi.Endpoints;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Messaging;
using Distributed.Registry;
using Distributed.ServiceDefaults;
using Distributed.Training;
using Microsoft.Extensions.Logging.Console;

namespace Distributed.Standalone;

/// <summary><c>run</c>: one run, from images to an evaluated head, watched to its end.</summary>
internal sealed class RunCommand : Command
{
    private readonly SpecificationOptions _specification;
    private readonly Option<string> _volume = CommandOptions.Volume();
    private readonly Option<bool> _json = new("--json")
    {
        Arity = ArgumentArity.Zero,
        Description = "Print the result as one JSON object, last on standard output",
    };
    private readonly Option<bool> _verbose = new("--verbose")
    {
        Arity = ArgumentArity.Zero,
        Description = "Write the services' logs to standard error",
    };
    private readonly Option<string?> _exportPng = new("--export-png")
    {
        Description =
            "Also write the splits as PNG files in class folders below this directory, with the table images.csv of where each came from",
        HelpName = "DIR",
        Validators = { CommandOptions.RefuseEmpty, CommandOptions.RefuseOption },
    };

    public RunCommand()
        : base("run", "Train and evaluate a head on a data set, or predict one with a model")
    {
        _specification = new SpecificationOptions(this);
        Add(_volume);
        Add(_json);
        Add(_exportPng);
        Add(_verbose);
        SetAction((result, cancellationToken) => CommandOptions.GuardAsync(() => RunAsync(result, cancellationToken), cancellationToken));
    }

    private async Task<int> RunAsync(ParseResult result, CancellationToken cancellationToken)
    {
        var specification = _specification.Read(result);
        var exportDirectory = result.GetValue(_exportPng) is { } directory ? Path.GetFullPath(directory) : null;
        if (exportDirectory is not null && (specification.Model is not null || specification.Kind == RunKind.Compare))
        {
            throw new CommandException(
                $"--export-png writes the splits that a head is trained on, and a run with {(specification.Model is null ? "--kind compare" : "--model")} has none; leave it out."
            );
        }

        if (exportDirectory is not null)
        {
            // What cannot be written is better reported now than after the run.
            Directory.CreateDirectory(exportDirectory);
        }

        var volume = Path.GetFullPath(result.GetValue(_volume)!);
        using var volumeLock = VolumeLock.Take(volume);
        var builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { ContentRootPath = AppContext.BaseDirectory });
        // What a person must know is on the display; the rest is logged on request, and that is what our services do.
        if (result.GetValue(_verbose))
        {
            builder.Logging.AddFilter("Distributed", LogLevel.Debug);
            // The bus calls it an error that it ends with the process while it has something to do.
            builder.Logging.AddFilter<ConsoleLoggerProvider>("MassTransit", LogLevel.Critical);
        }
        else
        {
            builder.Logging.AddFilter<ConsoleLoggerProvider>(_ => false);
        }

        builder.Services.Configure<ConsoleLoggerOptions>(options => options.LogToStandardErrorThreshold = LogLevel.Trace);
        StandaloneHost.AddServices(builder, volume);
        using var host = builder.Build();
        await StandaloneHost.StartAsync(host, cancellationToken);
        try
        {
            var submission = host.Services.GetRequiredService<RunSubmission>();
            var run = await SubmitAsync(submission, specification, volume, cancellationToken);
            var display = RunDisplay.Create(json: result.GetValue(_json));
            var watch = new RunWatch(host.Services.GetRequiredService<RunQueries>(), display);
            using var ending = CancellationTokenSource.CreateLinkedTokenSource(
                cancellationToken,
                host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping
            );
            var watching = watch.UntilEndAsync(run.Id, ending.Token);
            await Task.WhenAll(
                watching,
                specification.Model is null ? TrainingModule.WarmUpAsync(host.Services, specification, ending.Token) : Task.CompletedTask
            );
            var detail = await watching;
            // The worker that ended it may not have come to that, and would come to it in the next process on this volume only.
            await host.Services.GetRequiredService<RunEventPublisher>().PublishAsync(cancellationToken);
            if (detail.Summary.State != RunState.Completed)
            {
                throw new CommandException(detail.Summary.Failure ?? $"The run ended as {detail.Summary.State}.");
            }

            var outcome = await host.Services.GetRequiredService<RunOutcomeReader>().ReadAsync(detail, cancellationToken);
            if (exportDirectory is not null)
            {
                await host.Services.GetRequiredService<RunOutcomeReader>().ExportPngAsync(run.Id, exportDirectory, cancellationToken);
            }

            display.ShowOutcome(outcome);
            return 0;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            await Console.Error.WriteLineAsync(
                $"Stopped. The run goes on where it was when a command is started on the volume {volume} again."
            );
            return StopSignals.Status ?? 130;
        }
        catch (OperationCanceledException exception) when (StandaloneHost.HasFailedFast(host))
        {
            throw StandaloneHost.ReasonOf(host, exception);
        }
        finally
        {
            await host.StopAsync(CancellationToken.None);
        }
    }

    private static async Task<Run> SubmitAsync(
        RunSubmission submission,
        RunSpecification specification,
        string volume,
        CancellationToken cancellationToken
    )
    {
        try
        {
            var (_, run) = await submission.SubmitAsync(
                Guid.CreateVersion7(),
                specification,
                idempotencyKey: null,
                AuditActor.Account,
                cancellationToken
            );
            return run;
        }
        catch (RegistryException exception)
        {
            var wrong = SpecificationOptions.Describe(PredictionSettings.Describe(exception));
            throw new CommandException(
                exception.Problem == RegistryProblem.NotFound ? $"{wrong} The volume is {volume}." : wrong,
                exception
            );
        }
    }
}
