namespace Distributed.AdminApi.Browser;

/// <summary>
/// Marks an endpoint of the dashboard: it takes the cookie of a session for whatever is asked of it, since what it changes is guarded by antiforgery
/// tokens, and shows a page to sign in where there is none. Anywhere else the cookie is good for looking alone.
/// </summary>
internal sealed record BrowserEndpoint;
