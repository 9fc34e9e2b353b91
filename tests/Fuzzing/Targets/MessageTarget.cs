using System.Runtime.Serialization;
using System.Text.Json;
using Distributed.Contracts;
using MassTransit;
using MassTransit.Serialization;

namespace Distributed.Fuzzing.Targets;

/// <summary>Plain JSON from other languages in the queue of submissions, as the bus reads it.</summary>
internal sealed class MessageTarget : FuzzTarget
{
    private static readonly Uri Queue = new("loopback://localhost/submit-run");

    private readonly SystemTextJsonRawMessageSerializer _deserializer = new();

    public override string Name => "submit-message";

    protected override IReadOnlyList<byte[]> Seeds { get; } =
        AsBytes([
            .. JsonSeeds.Specifications.Select(specification =>
                $$"""{"runId":"6f1c1f6e-3a55-4f8e-9d2b-2f6d0c9f1a01","specification":{{specification}}}"""
            ),
        ]);

    protected override IReadOnlyList<byte[]> Words => JsonSeeds.Words;

    public override bool Parse(byte[] input)
    {
        try
        {
            var context = _deserializer.Deserialize(new BytesMessageBody(input), new DictionarySendHeaders(), Queue);
            return context.TryGetMessage<SubmitRun>(out var message)
                && message!.RunId != Guid.Empty
                && message.Specification.ValueKind != JsonValueKind.Undefined
                && SpecificationTarget.Check(message.Specification);
        }
        catch (Exception refused) when (refused is SerializationException or JsonException)
        {
            // The bus moves the message to the queue of errors, with this text.
            Promise(refused.Message.Length > 0, "an error says nothing");
            return false;
        }
    }
}
