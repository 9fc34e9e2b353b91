using System.Reflection;
using System.Text.RegularExpressions;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.Messaging;
using Distributed.Pipeline;
using Distributed.TestServers;
using MassTransit;

namespace Distributed.Architecture.Tests;

public sealed partial class ConventionTests
{
    private static readonly IReadOnlyList<Type> Consumers =
    [
        .. Solution
            .Services.SelectMany(service => Solution.Assembly(service).GetTypes())
            .Where(type => type is { IsClass: true, IsAbstract: false } && type.IsAssignableTo(typeof(IConsumer))),
    ];

    private static readonly IReadOnlyList<(Type Handler, Type Message)> Handlers =
    [
        .. Solution
            .Services.SelectMany(service => Solution.Assembly(service).GetTypes())
            .Where(type => type is { IsClass: true, IsAbstract: false })
            .SelectMany(type =>
                type.GetInterfaces()
                    .Where(one => one.IsGenericType && one.GetGenericTypeDefinition() == typeof(IJobHandler<>))
                    .Select(one => (type, one.GenericTypeArguments[0]))
            ),
    ];

    [Fact]
    public void Consumers_and_handlers_are_sealed_and_stand_in_a_namespace_of_their_own()
    {
        Assert.NotEmpty(Consumers);
        Assert.NotEmpty(Handlers);
        Assert.All(Consumers, consumer => AssertPlace(consumer, "Consumer"));
        Assert.All(Handlers, one => AssertPlace(one.Handler, "Handler"));

        static void AssertPlace(Type type, string role)
        {
            Assert.True(type.IsSealed, $"{type} is not sealed");
            Assert.EndsWith($".{role}s", type.Namespace, StringComparison.Ordinal);
            Assert.EndsWith(role, type.Name, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Every_stage_has_one_queue_one_message_and_one_handler()
    {
        var stages = RunStages.All.All;
        Assert.Equal(stages.Count, stages.Select(stage => stage.Queue).Distinct(StringComparer.Ordinal).Count());
        Assert.Equal(
            typeof(IJobMessage)
                .Assembly.GetTypes()
                .Where(type => type.IsClass && type.IsAssignableTo(typeof(IJobMessage)))
                .OrderBy(type => type.Name),
            stages.Select(stage => stage.MessageType).OrderBy(type => type.Name)
        );
        Assert.All(
            stages,
            stage =>
            {
                var message = stage.CreateMessage("scope", 7);
                Assert.Equal((stage.MessageType, "scope", 7), (message.GetType(), message.Scope, message.Step));
                Assert.Single(Handlers, one => one.Message == stage.MessageType);
            }
        );
    }

    [Fact]
    public void At_the_broker_every_worker_may_read_the_queues_that_it_consumes_and_no_others() =>
        Assert.All(
            RunStages.All.All,
            stage =>
            {
                var handler = Handlers.Single(one => one.Message == stage.MessageType).Handler;
                var service = handler.Assembly.GetName().Name!.Split('.')[^1].ToLowerInvariant();
                var readers = BrokerPermissions.All.Where(user =>
                    user.Key != "admin-api"
                    && Regex.IsMatch(stage.Queue, user.Value.Read, RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(1))
                );
                Assert.Equal(service, Assert.Single(readers).Key);
                Assert.Equal(service, stage.Service);
            }
        );

    [Fact]
    public void Handlers_of_jobs_know_no_bus_and_no_broker() =>
        Assert.All(
            Handlers.Select(one => one.Handler.Assembly).Distinct(),
            service =>
                Assert.DoesNotContain(
                    service.GetReferencedAssemblies(),
                    reference => reference.Name!.StartsWith("MassTransit", StringComparison.Ordinal) || reference.Name == "RabbitMQ.Client"
                )
        );

    [Fact]
    public void No_code_compares_the_order_of_states() =>
        Assert.All(Solution.ProductSources, path => Assert.DoesNotMatch(StateOrder(), File.ReadAllText(path)));

    [Fact]
    public void Contracts_are_sealed_and_have_a_namespace() =>
        Assert.All(
            typeof(SubmitRun).Assembly.GetExportedTypes().Where(type => type.IsClass),
            type =>
            {
                // A static class is abstract and sealed.
                Assert.True(type.IsSealed, $"{type} is not sealed");
                Assert.StartsWith("Distributed.Contracts", type.Namespace, StringComparison.Ordinal);
            }
        );

    [Fact]
    public void Messages_are_immutable_records() =>
        Assert.All(
            RunStages
                .All.All.Select(stage => stage.MessageType)
                .Concat([
                    typeof(SubmitRun),
                    typeof(RunEvaluated),
                    typeof(RunPredicted),
                    typeof(RunCompared),
                    typeof(RunFailed),
                    typeof(RunCancelled),
                ]),
            message =>
            {
                Assert.NotNull(message.GetMethod("<Clone>$"));
                Assert.All(
                    message.GetProperties(),
                    property =>
                        Assert.Contains(
                            typeof(System.Runtime.CompilerServices.IsExternalInit),
                            property.SetMethod?.ReturnParameter.GetRequiredCustomModifiers()
                                ?? [typeof(System.Runtime.CompilerServices.IsExternalInit)]
                        )
                );
            }
        );

    [Fact]
    public void A_concept_has_one_enumeration()
    {
        var enumerations = Solution
            .Services.Concat(Solution.Shared)
            .SelectMany(project => Solution.Assembly(project).GetTypes())
            .Where(type => type.IsEnum)
            .ToList();

        Assert.Contains(typeof(Precision), enumerations);
        Assert.All(
            enumerations,
            one =>
                Assert.All(
                    enumerations.Where(other => other != one),
                    other => Assert.False(Enum.GetNames(one).All(Enum.GetNames(other).Contains), $"all of {one} is in {other}")
                )
        );
    }

    [Fact]
    public void Namespaces_follow_the_projects() =>
        Assert.All(
            Solution.Services.Concat(Solution.Shared),
            project =>
                Assert.All(
                    Solution.Assembly(project).GetExportedTypes().Where(type => type.Namespace is not null),
                    type => Assert.StartsWith($"Distributed.{project.Name}", type.Namespace, StringComparison.Ordinal)
                )
        );

    [Theory]
    [InlineData("Datasets")]
    [InlineData("Vision")]
    public void A_folder_is_a_namespace(string library)
    {
        var folder = Path.Combine(TestEnvironment.RepositoryRoot, "shared", library);
        var sources = Solution.Sources(Solution.Shared.Single(project => project.Name == library)).ToList();

        Assert.NotEmpty(sources);
        Assert.All(
            sources,
            path =>
            {
                var below = Path.GetRelativePath(folder, Path.GetDirectoryName(path)!);
                var expected = below == "." ? $"Distributed.{library}" : $"Distributed.{library}.{below.Replace('/', '.')}";
                Assert.Contains($"namespace {expected};", File.ReadAllText(path), StringComparison.Ordinal);
            }
        );
    }

    [Fact]
    public void No_error_is_swallowed_without_a_word_and_no_collection_is_forced()
    {
        var sources = Solution.Services.Concat(Solution.Shared).SelectMany(Solution.Sources).ToList();

        Assert.True(sources.Count > 100, $"only {sources.Count} sources were found below {TestEnvironment.RepositoryRoot}");
        Assert.All(
            sources,
            path =>
            {
                var text = File.ReadAllText(path);
                Assert.DoesNotMatch(EmptyCatch(), text);
                Assert.DoesNotContain("GC.Collect(", text, StringComparison.Ordinal);
            }
        );
    }

    [Fact]
    public void Jobs_and_attempts_are_written_by_their_own_library_alone()
    {
        Assert.Contains(Solution.ProductSources, path => JobWrite().IsMatch(File.ReadAllText(path)));
        Assert.All(
            Solution.ProductSources.Where(path => !path.Contains("/shared/Jobs/", StringComparison.Ordinal)),
            path => Assert.DoesNotMatch(JobWrite(), File.ReadAllText(path))
        );
    }

    /// <summary>A comparison by less or greater with a state.</summary>
    [GeneratedRegex(@"[<>]=? *(Run|Job)State\.\w|(Run|Job)State\.\w+ *[<>]=? ", RegexOptions.ExplicitCapture, 5000)]
    private static partial Regex StateOrder();

    /// <summary>A statement that changes the tables of jobs or of attempts.</summary>
    [GeneratedRegex(
        @"\b(Jobs|Attempts)\b[^;]*\.(Add|AddRange|ExecuteUpdateAsync|ExecuteDeleteAsync)\(|new (Job|Attempt)\b",
        RegexOptions.ExplicitCapture,
        5000
    )]
    private static partial Regex JobWrite();

    /// <summary>A catch block with nothing in it, not even a comment that says why.</summary>
    [GeneratedRegex(@"catch\s*(\([^{]*\))?[^{;]*\{\s*\}", RegexOptions.ExplicitCapture, 5000)]
    private static partial Regex EmptyCatch();
}
