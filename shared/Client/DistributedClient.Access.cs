namespace Distributed.Client;

/// <content>Who may ask, and who is told; for operators.</content>
public sealed partial class DistributedClient
{
    /// <summary>All keys, revoked ones included, the latest last.</summary>
    public async Task<IReadOnlyList<KeySummary>> GetKeysAsync(CancellationToken cancellationToken = default) =>
        (await GetAsync<WholeList<KeySummary>>("keys", cancellationToken)).Items;

    /// <summary>Revokes a key: the next request with it is refused. The key that asks stays.</summary>
    public async Task RevokeKeyAsync(string id, CancellationToken cancellationToken = default)
    {
        using var _ = await SendAsync(HttpMethod.Delete, $"keys/{Escape(id)}", content: null, cancellationToken);
    }

    /// <summary>The webhooks, the oldest first, each with its last attempt.</summary>
    public async Task<IReadOnlyList<WebhookSummary>> GetWebhooksAsync(CancellationToken cancellationToken = default) =>
        (await GetAsync<WholeList<WebhookSummary>>("webhooks", cancellationToken)).Items;

    /// <summary>Adds a webhook, which is told what happens from now on.</summary>
    /// <param name="url">Its address (http or https).</param>
    /// <param name="events">Some of <c>completed</c>, <c>failed</c> and <c>promoted</c>; null for all of them.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public Task<CreatedWebhook> AddWebhookAsync(
        string url,
        IReadOnlyList<string>? events = null,
        CancellationToken cancellationToken = default
    ) => SendAsync<CreatedWebhook>(HttpMethod.Post, "webhooks", Body(new { url, events }), cancellationToken);

    /// <summary>Removes a webhook, and what was still to be sent to it.</summary>
    public async Task RemoveWebhookAsync(Guid id, CancellationToken cancellationToken = default)
    {
        using var _ = await SendAsync(HttpMethod.Delete, $"webhooks/{id:D}", content: null, cancellationToken);
    }
}
