using System.Text.Json;

namespace Distributed.Compose.Tests;

/// <summary>A container as the engine describes it.</summary>
internal sealed record Container(JsonElement Description)
{
    public string Id => At("Id").GetString()!;

    public string Service => At("Config", "Labels", "com.docker.compose.service").GetString()!;

    /// <summary>Whether it was started by <c>compose run</c>.</summary>
    public bool IsOneOff => At("Config", "Labels", "com.docker.compose.oneoff").GetString() == "True";

    public JsonElement State => At("State");

    /// <summary>The process of the machine that is its first.</summary>
    public int Process => At("State", "Pid").GetInt32();

    public bool IsHealthy => State.TryGetProperty("Health", out var health) && health.GetProperty("Status").GetString() == "healthy";

    public int Restarts => At("RestartCount").GetInt32();

    public DateTime StartedAt => At("State", "StartedAt").GetDateTime();

    public DateTime FinishedAt => At("State", "FinishedAt").GetDateTime();

    public int ExitCode => At("State", "ExitCode").GetInt32();

    public JsonElement Host => At("HostConfig");

    /// <summary>A part of the description.</summary>
    public JsonElement At(params ReadOnlySpan<string> path)
    {
        var part = Description;
        foreach (var name in path)
        {
            part = part.GetProperty(name);
        }

        return part;
    }

    public override string ToString() => $"{Service}: {State}";
}
