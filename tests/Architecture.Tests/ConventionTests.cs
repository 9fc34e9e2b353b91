using System.Reflection;
using System.Text.RegularExpressions;
using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Messaging;
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

    [Fact]
    public void Consumers_are_sealed_and_stand_in_a_namespace_of_their_own()
    {
        Assert.NotEmpty(Consumers);
        Assert.All(
            Consumers,
            consumer =>
            {
                Assert.True(consumer.IsSealed, $"{consumer} is not sealed");
                Assert.EndsWith(".Consumers", consumer.Namespace, StringComparison.Ordinal);
                Assert.EndsWith("Consumer", consumer.Name, StringComparison.Ordinal);
            }
        );
    }

    [Fact]
    public void Every_kind_of_job_has_one_queue_one_message_and_one_consumer()
    {
        Assert.Equal(Enum.GetValues<JobKind>().Order(), JobRoutes.All.Select(route => route.Kind).Order());
        Assert.Equal(JobRoutes.All.Count, JobRoutes.All.Select(route => route.Queue).Distinct(StringComparer.Ordinal).Count());
        Assert.Equal(
            typeof(IJobMessage)
                .Assembly.GetTypes()
                .Where(type => type.IsClass && type.IsAssignableTo(typeof(IJobMessage)))
                .OrderBy(type => type.Name),
            JobRoutes.All.Select(route => route.MessageType).OrderBy(type => type.Name)
        );
        Assert.All(
            JobRoutes.All,
            route =>
            {
                var message = route.CreateMessage("scope", 7);
                Assert.Equal((route.MessageType, "scope", 7), (message.GetType(), message.Scope, message.Step));
                Assert.Single(Consumers, consumer => consumer.IsAssignableTo(typeof(JobConsumer<>).MakeGenericType(route.MessageType)));
            }
        );
    }

    [Fact]
    public void At_the_broker_every_worker_may_read_the_queues_that_it_consumes_and_no_others() =>
        Assert.All(
            JobRoutes.All,
            route =>
            {
                var consumer = Consumers.Single(type => type.IsAssignableTo(typeof(JobConsumer<>).MakeGenericType(route.MessageType)));
                var service = consumer.Assembly.GetName().Name!.Split('.')[^1].ToLowerInvariant();
                var readers = BrokerPermissions.All.Where(user =>
                    user.Key != "admin-api"
                    && Regex.IsMatch(route.Queue, user.Value.Read, RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(1))
                );
                Assert.Equal(service, Assert.Single(readers).Key);
            }
        );

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
            JobRoutes
                .All.Select(route => route.MessageType)
                .Concat([typeof(SubmitRun), typeof(RunEvaluated), typeof(RunFailed), typeof(RunCancelled)]),
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
    public void Jobs_and_attempts_are_written_by_their_own_folder_alone()
    {
        var sources = Solution
            .Services.Concat(Solution.Shared)
            .SelectMany(project => Directory.EnumerateFiles(Path.GetDirectoryName(project.Path)!, "*.cs", SearchOption.AllDirectories))
            .Where(path => !path.Contains("/obj/", StringComparison.Ordinal) && !path.Contains("/bin/", StringComparison.Ordinal))
            .ToList();

        Assert.Contains(sources, path => JobWrite().IsMatch(File.ReadAllText(path)));
        Assert.All(
            sources.Where(path => !path.Contains("/shared/Catalog/Jobs/", StringComparison.Ordinal)),
            path => Assert.DoesNotMatch(JobWrite(), File.ReadAllText(path))
        );
    }

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
