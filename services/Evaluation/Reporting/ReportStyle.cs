namespace Distributed.Evaluation.Reporting;

/// <summary>The report's looks. Every pair of text and ground keeps a contrast of 4.5 in both schemes, which a browser test measures.</summary>
internal static class ReportStyle
{
    public const string Css = """
        :root {
          --ground: #fbfaf8; --surface: #ffffff; --sunken: #f3f2ee; --ink: #1b1e23; --soft: #5a626d; --line: #e2e0da;
          --accent: #2a5bd0; --train: #a86a10; --right: #17784a; --wrong: #b42a1d;
          --heat-right: 42 91 208; --heat-wrong: 214 90 30; --strong-right: .52; --strong-wrong: .8;
          color-scheme: light dark;
        }
        @media screen and (prefers-color-scheme: dark) {
          :root {
            --ground: #121518; --surface: #191d21; --sunken: #20252a; --ink: #e7e9ec; --soft: #a2abb6; --line: #2d343b;
            --accent: #8db2ff; --train: #e2b04a; --right: #69cf9b; --wrong: #ff9084;
            --heat-right: 96 144 255; --heat-wrong: 236 112 52; --strong-right: .5; --strong-wrong: .62;
          }
        }
        * { box-sizing: border-box; }
        html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
        @media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
        body {
          margin: 0 auto; padding: 56px 32px 40px; max-width: 1144px; background: var(--ground); color: var(--ink);
          font: 400 16px/1.55 ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "Liberation Sans", Arial, sans-serif;
          overflow-wrap: break-word;
        }
        h1, h2, h3, p, ul, dl, dd, figure, table { margin: 0; padding: 0; }
        h1 { font-size: 34px; line-height: 1.18; letter-spacing: -.018em; font-weight: 650; overflow-wrap: anywhere; }
        h2 { font-size: 21px; line-height: 1.3; letter-spacing: -.01em; font-weight: 650; margin-bottom: 12px; scroll-margin-top: 16px; }
        h3 { font-size: 15px; font-weight: 650; margin-bottom: 8px; }
        section { margin-top: 52px; padding-top: 30px; border-top: 1px solid var(--line); }
        section.result { border: 0; padding: 0; margin-top: 40px; }
        code, pre { font: 13px/1.6 ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; }
        code { overflow-wrap: anywhere; }
        a { color: var(--accent); text-underline-offset: 3px; }
        :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
        .skip { position: absolute; left: -9999px; }
        .skip:focus { left: 16px; top: 12px; background: var(--surface); padding: 6px 12px; }
        .unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
        .fine { color: var(--soft); font-size: 14px; }
        .empty { color: var(--soft); }
        section > .fine { max-width: 88ch; }
        .fine + .spaced, .fine + .scroll, .charts + .fine, .scroll + .fine { margin-top: 10px; }
        .fine + h3 { margin-top: 18px; }
        .eyebrow { color: var(--soft); font-size: 13px; font-weight: 600; letter-spacing: .02em; margin-bottom: 6px; }
        .state { margin-top: 10px; font-size: 17px; color: var(--soft); max-width: 70ch; overflow-wrap: anywhere; }
        .labels { display: flex; flex-wrap: wrap; gap: 6px 14px; align-items: center; list-style: none; margin-top: 14px; font-size: 14px; color: var(--soft); }
        .labels li { overflow-wrap: anywhere; min-width: 0; }
        .tag { background: var(--sunken); border: 1px solid var(--line); border-radius: 12px; padding: 0 10px; color: var(--ink); font-size: 13px; line-height: 23px; }
        nav { display: flex; flex-wrap: wrap; gap: 4px 18px; margin-top: 22px; font-size: 14px; }
        nav a { text-decoration: none; padding: 2px 0; }
        nav a:hover { text-decoration: underline; }

        .result { display: grid; grid-template-columns: minmax(0, 1.25fr) minmax(0, 1fr); gap: 28px 56px; align-items: start; background: var(--surface); border: 1px solid var(--line) !important; border-radius: 14px; padding: 30px 34px !important; }
        .number { font-size: 84px; line-height: 1; font-weight: 650; letter-spacing: -.04em; font-variant-numeric: tabular-nums; }
        .unit { font-size: .48em; font-weight: 500; letter-spacing: 0; color: var(--soft); margin-left: -.1em; }
        .interval { font-size: 17px; margin-top: 10px; font-variant-numeric: tabular-nums; }
        .gauge { position: relative; height: 10px; margin: 20px 0 14px; background: var(--sunken); border-radius: 5px; box-shadow: inset 0 0 0 1px var(--line); }
        .gauge i { position: absolute; top: 0; bottom: 0; }
        .gauge .fill { left: 0; background: var(--accent); border-radius: 5px; }
        .gauge .band { top: -5px; bottom: -5px; border: 2px solid var(--ink); border-width: 0 2px; background: linear-gradient(var(--ink), var(--ink)) center / 100% 2px no-repeat; min-width: 4px; }
        .gauge .floor { width: 2px; margin-left: -1px; top: -5px; bottom: -5px; background: var(--train); }
        .made dt { color: var(--soft); font-size: 13px; margin-top: 12px; }
        .made dt:first-child { margin-top: 0; }
        .made dd { overflow-wrap: anywhere; }
        .notes { margin-top: 20px; border: 1px solid var(--line); border-left: 3px solid var(--train); border-radius: 8px; padding: 12px 18px; background: var(--surface); }
        .notes .eyebrow { margin-bottom: 2px; }
        .notes.warnings { border-left-color: var(--wrong); overflow-wrap: anywhere; }
        .notes ul { list-style: none; }
        .notes li + li { margin-top: 4px; }

        .figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); gap: 20px 28px; }
        .figures dt { color: var(--soft); font-size: 14px; }
        .figures dd { font-size: 22px; line-height: 1.3; font-weight: 550; font-variant-numeric: tabular-nums; letter-spacing: -.01em; }
        .facts { display: grid; grid-template-columns: minmax(110px, 170px) minmax(0, 1fr); gap: 6px 20px; }
        .facts dt { color: var(--soft); }
        .facts dd { overflow-wrap: anywhere; }
        details { margin-top: 20px; }
        summary { cursor: pointer; color: var(--accent); font-size: 15px; width: fit-content; padding: 2px 0; }
        details[open] > summary { margin-bottom: 10px; }

        .legend { display: flex; flex-wrap: wrap; gap: 4px 22px; list-style: none; font-size: 14px; margin-bottom: 12px; }
        .legend li { display: flex; align-items: center; gap: 8px; }
        .charts { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 24px; }
        .chart { background: var(--surface); border: 1px solid var(--line); border-radius: 12px; padding: 16px 18px 12px; min-width: 0; }
        .chart figcaption { font-weight: 600; margin-bottom: 4px; }
        .chart figcaption .fine { font-weight: 400; margin-left: 6px; }
        .chart svg { display: block; width: 100%; height: auto; overflow: visible; }
        svg text { font-size: 12.5px; fill: var(--soft); font-variant-numeric: tabular-nums; }
        svg .mark { fill: var(--ink); font-weight: 600; }
        .grid { stroke: var(--line); fill: none; }
        .axis { stroke: var(--soft); fill: none; }
        .best { stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 1.5 3.5; fill: none; stroke-linecap: round; }
        .line { fill: none; stroke-width: 2.25; stroke-linejoin: round; stroke-linecap: round; }
        .line.validation { stroke: var(--accent); }
        .line.train { stroke: var(--train); stroke-dasharray: 6 5; stroke-width: 2; }
        .dot.validation { fill: var(--accent); }
        .share { fill: var(--accent); opacity: .28; }
        .amount { fill: var(--soft); opacity: .45; }
        .dot.train { fill: var(--surface); stroke: var(--train); stroke-width: 2; }
        .faint { opacity: 0; }
        .faint:hover { opacity: 1; }

        .beside { display: flex; flex-wrap: wrap; gap: 28px 48px; align-items: flex-start; }
        .beside > * { flex: 1 1 300px; min-width: 0; max-width: 100%; }
        .beside > .matrix { flex: 0 1 auto; }
        .alone > div > p { margin-bottom: 14px; max-width: 76ch; }
        .alone { max-width: 820px; }
        .scroll { overflow-x: auto; max-width: 100%; }
        table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
        th { font-weight: 500; text-align: left; }
        th, td { padding: 6px 12px 6px 0; border-bottom: 1px solid var(--line); vertical-align: baseline; }
        thead th { color: var(--soft); font-weight: 500; }
        tbody tr:last-child > * { border-bottom-color: transparent; }
        tbody th bdi, td.text bdi, .names td, #environment :is(th, td), #seeds :is(th, td) { overflow-wrap: anywhere; }
        table.numbers { width: 100%; }
        .numbers td, .numbers thead th:not(:first-child) { text-align: right; padding-left: 14px; }
        .numbers td.text, #confusions thead th:nth-child(2) { text-align: left; }
        .numbers th:first-child { min-width: 90px; }
        .numbers > * > tr > :last-child { padding-right: 2px; }
        .numbers td.bar { padding-right: 12px; }
        #per-class, #weakest { table-layout: fixed; min-width: 320px; }
        #per-class th:first-child, #weakest th:first-child { width: 26%; }
        .bar { background: linear-gradient(rgb(var(--heat-right) / .2), rgb(var(--heat-right) / .2)) 14px center / calc(var(--v) * (100% - 80px)) 18px no-repeat; }
        .names { width: 100%; }
        .names th { min-width: 130px; }
        #environment, #seeds { width: 100%; }
        #environment th, #seeds th { color: var(--soft); padding-right: 20px; width: 34%; }

        .matrix figcaption { color: var(--soft); font-size: 14px; max-width: 62ch; margin-bottom: 12px; }
        #matrix { border-collapse: separate; border-spacing: 2px; font-size: 13px; }
        #matrix th, #matrix td { border: 0; padding: 0; }
        #matrix td { width: 36px; min-width: 36px; height: 34px; text-align: center; vertical-align: middle; border-radius: 4px; background: rgb(var(--heat-wrong) / calc(var(--v) * var(--strong-wrong))); print-color-adjust: exact; -webkit-print-color-adjust: exact; }
        #matrix td.right { background: rgb(var(--heat-right) / calc(var(--v) * var(--strong-right))); font-weight: 650; }
        #matrix td.none { background: var(--sunken); color: var(--soft); font-size: 11px; }
        #matrix tbody th { position: sticky; left: 0; background: var(--ground); padding-right: 10px; text-align: right; vertical-align: middle; z-index: 1; }
        #matrix tbody th bdi { display: block; max-width: 130px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
        #matrix .corner { position: sticky; left: 0; background: var(--ground); vertical-align: bottom; text-align: right; font-size: 12px; padding: 0 10px 4px 0; font-weight: 400; z-index: 1; max-width: 130px; }
        #matrix .upright { vertical-align: bottom; color: var(--ink); }
        #matrix .upright bdi { display: block; writing-mode: vertical-rl; transform: rotate(180deg); max-height: 120px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; margin: 0 auto 4px; padding: 0; line-height: 1.3; }

        #matrix.dense { border-spacing: 1px; font-size: 12px; }
        #matrix.dense td { width: 30px; min-width: 30px; height: 28px; border-radius: 3px; }
        #matrix.dense td.none { font-size: 10.5px; }

        .samples { display: grid; grid-template-columns: repeat(auto-fill, minmax(140px, 1fr)); gap: 22px 18px; list-style: none; margin-top: 16px; }
        .samples.pairs { grid-template-columns: repeat(auto-fill, minmax(260px, 1fr)); }
        .pair { display: grid; grid-template-columns: 1fr 1fr; gap: 6px; }
        .sample { min-width: 0; break-inside: avoid; }
        .picture { display: block; width: 100%; aspect-ratio: 1; object-fit: contain; background: var(--sunken); border-radius: 10px; border: 2px solid var(--line); }
        .absent { display: grid; place-items: center; color: var(--soft); font-size: 13px; }
        .wrong .picture { border: 2px dashed var(--wrong); padding: 2px; border-radius: 12px; }
        .verdict { font-size: 14px; line-height: 1.35; margin-top: 8px; overflow-wrap: anywhere; display: flex; gap: 6px; }
        .badge { font-weight: 700; flex: none; position: relative; }
        .right .badge { color: var(--right); }
        .wrong .badge { color: var(--wrong); }
        .sample .fine, .file { font-size: 12.5px; line-height: 1.45; }
        .meter { display: flex; align-items: center; gap: 8px; font-size: 12.5px; font-variant-numeric: tabular-nums; margin-top: 3px; }
        .meter::before { content: ""; flex: 1; height: 5px; border-radius: 3px; background: linear-gradient(var(--right), var(--right)) left / calc(var(--v) * 100%) 100% no-repeat var(--sunken); box-shadow: inset 0 0 0 1px var(--line); }
        .wrong .meter::before { background-image: linear-gradient(var(--wrong), var(--wrong)); }
        .file { color: var(--soft); white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }

        .times { width: 100%; max-width: 820px; }
        .times th { width: 1%; min-width: 116px; padding-right: 28px; white-space: nowrap; }
        .times th .fine { display: block; font-size: 12.5px; }
        .times th .fine:empty { display: none; }
        .times .seconds { width: 1%; white-space: nowrap; text-align: right; padding-right: 20px; }
        .times .track { padding: 0; background: linear-gradient(var(--accent), var(--accent)) left center / max(2px, calc(var(--v) * 100%)) 8px no-repeat; }
        .times tfoot > tr > * { font-weight: 650; border-bottom: 0; border-top: 1px solid var(--line); }
        pre { margin: 14px 0 0; padding: 14px 16px; background: var(--sunken); border: 1px solid var(--line); border-radius: 10px; white-space: pre; tab-size: 2; }
        pre code { overflow-wrap: normal; }
        .command { white-space: pre-wrap; user-select: all; -webkit-user-select: all; }
        .command code { overflow-wrap: anywhere; }
        #repeat ~ .beside { margin-top: 26px; }
        footer { margin-top: 56px; padding-top: 18px; border-top: 1px solid var(--line); color: var(--soft); font-size: 13px; }

        @media (max-width: 800px) {
          .result, .charts { grid-template-columns: minmax(0, 1fr); }
        }
        @media (max-width: 560px) {
          body { padding: 28px 16px 32px; }
          h1 { font-size: 27px; }
          section { margin-top: 38px; padding-top: 24px; }
          .result { padding: 22px 20px !important; margin-top: 28px; }
          .number { font-size: 68px; }
          .chart { padding: 14px 12px 10px; }
          svg text { font-size: 15px; }
          .figures { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 16px 20px; }
          .facts { grid-template-columns: minmax(0, 1fr); gap: 0; }
          .facts dd { margin-bottom: 10px; }
          .samples { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 20px 14px; }
          .numbers td, .numbers thead th:not(:first-child) { padding-left: 8px; padding-right: 6px; }
          #matrix tbody th bdi { max-width: 84px; }
          #matrix .corner { max-width: 94px; }
          .times th { white-space: normal; padding-right: 14px; }
          .times .seconds { padding-right: 14px; }
          .bar { background: none; }
          #per-class, #weakest { table-layout: auto; }
          thead th { overflow-wrap: normal; }
        }
        @media print {
          @page { margin: 16mm 14mm; }
          :root { color-scheme: light; --ground: #ffffff; }
          body { padding: 0; font-size: 11pt; max-width: none; }
          nav, .skip { display: none; }
          section { margin-top: 24pt; padding-top: 14pt; }
          h2, h3, summary { break-after: avoid; }
          tr, figure, .result, .notes { break-inside: avoid; }
          details::details-content { content-visibility: visible; block-size: auto; }
          .result, .charts { grid-template-columns: repeat(2, minmax(0, 1fr)); }
          .scroll { overflow: visible; }
          pre { white-space: pre-wrap; }
          .gauge i, .bar, .track, .meter::before, .tag, pre { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
          .samples { grid-template-columns: repeat(5, minmax(0, 1fr)); }
        }

        """;
}
