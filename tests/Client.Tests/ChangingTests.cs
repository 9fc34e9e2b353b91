using System.Net;

namespace Distributed.Client.Tests;

/// <summary>What people change together, and who may ask.</summary>
public sealed class ChangingTests(Served served) : IDisposable
{
    private readonly DistributedClient _client = new(served.Server.Api.BaseAddress!);

    public void Dispose() => _client.Dispose();

    [Fact]
    public async Task A_run_is_called_otherwise_by_who_has_read_it_last()
    {
        var revision = (await _client.GetRunAsync(served.Server.RunId)).Revision;

        var changed = await _client.ChangeRunAsync(served.Server.RunId, new RunLabels("named", ["a, b", "c"], "a\nnote"), revision);
        var refused = await Assert.ThrowsAsync<ApiException>(() =>
            _client.ChangeRunAsync(served.Server.RunId, new RunLabels(null, [], null), revision)
        );
        var emptied = await _client.ChangeRunAsync(served.Server.RunId, new RunLabels("named", [], null), changed.Revision);

        Assert.Equal(("named", "a\nnote", revision + 1), (changed.Summary.Name, changed.Summary.Note, changed.Revision));
        Assert.Equal(["a, b", "c"], changed.Summary.Tags);
        Assert.Equal(HttpStatusCode.PreconditionFailed, refused.Status);
        Assert.Equal((0, null), (emptied.Summary.Tags.Count, emptied.Summary.Note));
    }

    [Fact]
    public async Task A_view_is_saved_replaced_and_deleted_by_who_has_read_it_last()
    {
        var saved = await _client.SaveViewAsync("kept best", "?sort=-accuracy", ["accuracy"]);
        var taken = await Assert.ThrowsAsync<ApiException>(() => _client.SaveViewAsync("kept best", "?sort=name"));
        var replaced = await _client.SaveViewAsync("kept best", "?where=accuracy%3E0.5", revision: saved.Revision);
        var late = await Assert.ThrowsAsync<ApiException>(() => _client.DeleteViewAsync("kept best", saved.Revision));

        var slashed = await Assert.ThrowsAsync<ApiException>(() => _client.SaveViewAsync("kept/best", "?sort=name"));

        Assert.Equal(["accuracy"], saved.Columns);
        Assert.Contains("name", slashed.Errors.Keys);
        Assert.Equal((HttpStatusCode.PreconditionFailed, HttpStatusCode.PreconditionFailed), (taken.Status, late.Status));
        Assert.Equal("?where=accuracy%3E0.5", Assert.Single((await _client.GetViewsAsync()).Items, view => view.Name == "kept best").Query);
        Assert.Empty((await _client.GetViewsAsync(after: "kept best", limit: 1)).Items);
        await _client.DeleteViewAsync("kept best", replaced.Revision);
        Assert.Empty((await _client.GetViewsAsync()).Items);
    }

    [Fact]
    public async Task A_webhook_is_added_with_its_secret_and_removed()
    {
        var added = await _client.AddWebhookAsync("https://hooks.example/told", ["failed"]);
        var refused = await Assert.ThrowsAsync<ApiException>(() => _client.AddWebhookAsync("ftp://hooks.example"));

        Assert.StartsWith("whsec_", added.Secret, StringComparison.Ordinal);
        Assert.Contains("url", refused.Errors.Keys);
        var listed = Assert.Single(await _client.GetWebhooksAsync());
        Assert.Equal((added.Id, added.Url, null), (listed.Id, listed.Url, listed.Last));
        Assert.Equal(["failed"], listed.Events);
        await _client.RemoveWebhookAsync(added.Id);
        Assert.Empty(await _client.GetWebhooksAsync());
    }

    [Fact]
    public async Task A_key_is_listed_and_revoked()
    {
        await served.Server.ExecuteAsync("keys", "create", "leaver", "--role", "predictor");
        var key = Assert.Single(await _client.GetKeysAsync(), key => key.Name == "leaver");

        await _client.RevokeKeyAsync(key.Id);

        Assert.Equal(("predictor", null, null), (key.Role, key.LastUsedAt, key.RevokedAt));
        Assert.NotNull(Assert.Single(await _client.GetKeysAsync(), one => one.Id == key.Id).RevokedAt);
        Assert.Equal(HttpStatusCode.NotFound, (await Assert.ThrowsAsync<ApiException>(() => _client.RevokeKeyAsync(key.Id))).Status);
    }
}
