using System.ComponentModel.DataAnnotations;

namespace Distributed.AdminApi.Access;

/// <summary>Who needs a key.</summary>
internal enum KeyPolicy
{
    /// <summary>Everybody.</summary>
    Required,

    /// <summary>Everybody but who comes from this machine.</summary>
    Loopback,
}

/// <summary>Settings of the section <c>Api</c>.</summary>
internal sealed class ApiOptions
{
    public const string Section = "Api";

    /// <summary>Who needs a key.</summary>
    public KeyPolicy Keys { get; set; } = KeyPolicy.Required;

    /// <summary>Requests a second that a key may make in the long run. Twenty seconds' worth may come at once.</summary>
    [Range(1, 1_000_000)]
    public int RequestsPerSecond { get; set; } = 1000;

    /// <summary>Requests a second without a valid key that one address may make in the long run. Twenty seconds' worth may come at once.</summary>
    [Range(1, 1_000_000)]
    public int AnonymousRequestsPerSecond { get; set; } = 20;
}
