using System.Security.Claims;

namespace Distributed.Dashboard;

/// <summary>What the pages need of the host that serves them; everything else they ask the public API for, as any other program would.</summary>
public interface IDashboardHost
{
    /// <summary>Where this process reaches the API.</summary>
    Uri ApiAddress { get; }

    /// <summary>How the API is to be asked for a visitor.</summary>
    /// <param name="visitor">Whoever looks at a page, as the host has recognised them.</param>
    VisitorAccess AccessOf(ClaimsPrincipal visitor);
}

/// <summary>How the API is asked for a visitor.</summary>
/// <param name="IsSignedIn">Whether it may be asked at all.</param>
/// <param name="Key">The visitor's own key; null where the API wants none of them.</param>
public sealed record VisitorAccess(bool IsSignedIn, string? Key)
{
    /// <summary>Of somebody who is not signed in.</summary>
    public static VisitorAccess None { get; } = new(IsSignedIn: false, Key: null);

    /// <summary>Without the key, so that it is in no log by accident.</summary>
    public override string ToString() => IsSignedIn ? "signed in" : "signed out";
}
