using System.Text.RegularExpressions;
using Distributed.Pipeline;

namespace Distributed.Messaging;

/// <summary>
/// What each service's own user of the broker needs, and no more. A worker reads its own queues alone; it sends to all, since
/// the worker that completes a job sends what follows. The broker demands <c>configure</c> for declaring what is sent to.
/// </summary>
/// <param name="Configure">Regular expression of what may be declared and deleted.</param>
/// <param name="Write">Regular expression of what may be published to, and of queues that may be bound.</param>
/// <param name="Read">Regular expression of what may be consumed, and of exchanges that may be bound to.</param>
public sealed record BrokerPermissions(string Configure, string Write, string Read)
{
    /// <summary>The name of the user of programs outside the system: it may submit runs, and subscribe to final events with queues of its own.</summary>
    public const string Client = "client";

    // Faults and errors of the bus itself.
    private const string Bus = "MassTransit:.*";
    private const string OwnEndings = $@".*_{MessagingRegistration.RunEndedTag}_\w+";

    // The queue of a host in which answers to its requests arrive.
    private const string Answers = @".*_bus_\w+";
    private const string Contracts = @"Distributed\.Contracts:.*";

    /// <summary>All users, by name.</summary>
    public static IReadOnlyDictionary<string, BrokerPermissions> All { get; } =
        RunStages
            .All.All.GroupBy(stage => stage.Service, StringComparer.Ordinal)
            .Select(service =>
                KeyValuePair.Create(
                    service.Key,
                    ForWorker(
                        service.SelectMany(stage => stage.Queues),
                        RequestKind.All.Where(queue => queue.Service == service.Key).Select(queue => queue.Name)
                    )
                )
            )
            .Append(KeyValuePair.Create("admin-api", ForAdmin()))
            .Append(KeyValuePair.Create(Client, ForClient()))
            .ToDictionary(StringComparer.Ordinal);

    private static IEnumerable<string> Queues => RunStages.All.All.SelectMany(stage => stage.Queues).Append(QueueTopology.SubmitRunQueue);

    private static string Requests => OneOf(RequestKind.All.Select(queue => queue.Name));

    private static BrokerPermissions ForWorker(IEnumerable<string> queues, IEnumerable<string> requests)
    {
        var own = OneOf(queues);
        IReadOnlyList<string> answered = [.. requests];
        var answers = answered.Count == 0 ? "" : $"|{OneOf(answered)}|{Answers}";
        var sends = Whole($"{OneOf(Queues)}|{own}(-dead-letter|_error|_skipped)|{OwnEndings}|{Contracts}|{Bus}{answers}");
        return new BrokerPermissions(
            sends,
            sends,
            Whole(
                $"{own}(-dead-letter|_error|_skipped)?|{OwnEndings}|{OneOf(QueueTopology.Events)}|{Bus}"
                    + (answered.Count == 0 ? "" : $"|{OneOf(answered)}")
            )
        );
    }

    // It declares everything, watches all queues, reads dead letters, and consumes submissions.
    private static BrokerPermissions ForAdmin()
    {
        var everything = Whole($"{OneOf(Queues)}(-dead-letter|_error|_skipped)?|{Requests}|{Answers}|{Contracts}|{Bus}");
        return new BrokerPermissions(everything, everything, everything);
    }

    private static BrokerPermissions ForClient()
    {
        const string own = @"amq\.gen.*|client-.*";
        var events = OneOf(QueueTopology.Events);
        return new BrokerPermissions(Whole(own), Whole($"{QueueTopology.SubmitRunQueue}|{own}"), Whole($"{events}|{own}"));
    }

    private static string OneOf(IEnumerable<string> names) => $"({string.Join('|', names.Select(Regex.Escape))})";

    private static string Whole(string pattern) => $"^({pattern})$";
}
