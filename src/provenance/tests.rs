//! What small programs write to `users.token`.

use crate::graph::bench::Tree;
use crate::provenance::{Path, survey};

fn label(path: &Path) -> String {
    let chain =
        |chain: &Vec<crate::provenance::Origin>| chain.iter().map(|origin| origin.word()).collect::<Vec<_>>().join(">");
    path.meaning.chains.iter().map(chain).collect::<Vec<_>>().join("|")
}

/// `entry: chains` of every path to every write, sorted.
fn paths(tree: &Tree) -> Vec<String> {
    let graph = tree.graph();
    let traces = survey(&graph, &tree.schema).finish();
    let sites = traces.iter().flat_map(|column| &column.sites);
    let mut all: Vec<String> =
        sites.flat_map(|site| &site.paths).map(|path| format!("{}: {}", path.entry.name, label(path))).collect();
    all.sort();
    all
}

/// The paths of one file, which has the client `db` and `randomUUID`.
fn written(text: &str) -> Vec<String> {
    paths(&Tree::one(text))
}

#[test]
fn a_constant_argument_selects_the_branch() {
    let found = written(
        "function store(id: number, keep: boolean) {
           if (keep) { return db.user.update({ where: { id }, data: { name: 'x' } }); }
           return db.user.update({ where: { id }, data: { token: randomUUID() } });
         }
         export function keeps(id: number) { return store(id, true); }
         export function renews(id: number) { return store(id, false); }",
    );
    assert_eq!(found, ["renews: fresh"]);
}

#[test]
fn a_constant_argument_selects_the_value() {
    let found = written(
        "function store(id: number, token?: string) {
           return db.user.update({ where: { id }, data: { token: token ? token : null } });
         }
         export function logout(id: number) { return store(id, null); }
         export function login(id: number) { return store(id, randomUUID()); }
         export function anything(id: number, token: string) { return store(id, token); }",
    );
    assert_eq!(found, ["anything: null|supplied", "login: fresh", "logout: null"]);
}

#[test]
fn a_condition_on_undefined_lets_null_through_and_one_on_null_neither() {
    let callers = "export function logout(id: number) { return store(id, null); }
         export function login(id: number) { return store(id, randomUUID()); }
         export function rename(id: number) { return store(id); }";
    let with = |data: &str| {
        let store = "async function store(id: number, token?: string | null) {";
        written(&format!("{store} {data} return db.user.update({{ where: {{ id }}, data }}); }} {callers}"))
    };
    let (both, fresh) = (vec!["login: fresh", "logout: null"], vec!["login: fresh"]);
    assert_eq!(with("const data = { name: 'x', ...(token !== undefined && { token }) };"), both);
    assert_eq!(with("const data: any = { name: 'x' }; if (token !== undefined) { data.token = token; }"), both);
    assert_eq!(with("if (token === undefined) return; const data = { token };"), both);
    assert_eq!(with("const data = { name: 'x', ...(token != null && { token }) };"), fresh);
    assert_eq!(with("const data = { name: 'x', ...(token !== null && token !== undefined ? { token } : {}) };"), fresh);
}

#[test]
fn after_an_early_return_its_condition_no_longer_holds() {
    let found = written(
        "async function store(id: number, token: string | null) {
           if (!token) return null;
           return db.user.update({ where: { id }, data: { token } });
         }
         export function nothing(id: number) { return store(id, null); }
         export function login(id: number) { return store(id, randomUUID()); }",
    );
    assert_eq!(found, ["login: fresh"]);
}

#[test]
fn the_key_that_stands_last_is_written() {
    let found = written(
        "export function spreadFirst(id: number, body: { name: string }) {
           const base = { token: null };
           return db.user.update({ where: { id }, data: { ...base, token: randomUUID() } });
         }
         export function spreadLast(id: number) {
           const base = { token: null };
           return db.user.update({ where: { id }, data: { token: randomUUID(), ...base } });
         }
         export function assigned(id: number) {
           const data: any = { name: 'x' };
           Object.assign(data, { token: null });
           return db.user.update({ where: { id }, data });
         }
         export function assignedInto(id: number) {
           return db.user.update({ where: { id }, data: Object.assign({ token: null }, { token: randomUUID() }) });
         }",
    );
    assert_eq!(found, ["assigned: null", "assignedInto: fresh", "spreadFirst: fresh", "spreadLast: null"]);
}

#[test]
fn a_closure_sees_a_const_that_is_declared_after_it() {
    let found = written(
        "export async function login(id: number) {
           const write = () => db.user.update({ where: { id }, data: { token: made } });
           const made = randomUUID();
           return write();
         }",
    );
    assert_eq!(found, ["login: fresh"]);
}

#[test]
fn a_fallback_is_a_chain_in_its_order() {
    let found = written(
        "export async function refresh(id: number) {
           const user = await db.user.findUnique({ where: { id } });
           return db.user.update({ where: { id }, data: { token: user.token ?? randomUUID() } });
         }
         export async function given(id: number, token?: string) {
           const user = await db.user.findUnique({ where: { id } });
           return db.user.update({ where: { id }, data: { token: token ?? user.token ?? randomUUID() } });
         }
         export async function clears(id: number) {
           const user = await db.user.findUnique({ where: { id } });
           return db.user.update({ where: { id }, data: { token: user.token || null } });
         }",
    );
    assert_eq!(found, ["clears: preserved>null", "given: supplied>preserved>fresh", "refresh: preserved>fresh"]);
}

#[test]
fn what_comes_first_and_is_always_there_ends_the_chain() {
    let found = written(
        "export function login(id: number, token: string) {
           return db.user.update({ where: { id }, data: { token: randomUUID() ?? token } });
         }",
    );
    assert_eq!(found, ["login: fresh"]);
}

#[test]
fn an_update_without_the_key_is_no_write_and_an_insert_without_it_omits() {
    let found = written(
        "export function rename(id: number) { return db.user.update({ where: { id }, data: { name: 'x' } }); }
         export function join(email: string) { return db.user.create({ data: { email } }); }",
    );
    assert_eq!(found, ["join: omitted"]);
}

#[test]
fn mutual_recursion_ends_and_is_not_known() {
    let found = written(
        "function even(n: number): string { return n > 9 ? odd(n + 1) : odd(n + 2); }
         function odd(n: number): string { return n > 8 ? even(n + 1) : even(n + 2); }
         export function login(id: number) {
           return db.user.update({ where: { id }, data: { token: even(id) } });
         }",
    );
    assert_eq!(found, ["login: unknown"]);
}

#[test]
fn a_field_assigned_in_the_constructor_is_followed() {
    let found = written(
        "export class Store {
           private made: string;
           constructor() { this.made = randomUUID(); }
           save(id: number) { return db.user.update({ where: { id }, data: { token: this.made } }); }
         }",
    );
    assert_eq!(found, ["Store.save: fresh"]);
}

#[test]
fn a_field_of_an_instance_of_the_module_is_followed() {
    let found = written(
        "class Store {
           private made: string;
           constructor() { this.made = randomUUID(); }
           save(id: number) { return db.user.update({ where: { id }, data: { token: this.made } }); }
         }
         const store = new Store();
         export function login(id: number) { return store.save(id); }",
    );
    assert_eq!(found, ["login: fresh"]);
}

#[test]
fn recursion_adds_no_path() {
    let found = written(
        "async function a(id: number, token: string, left: number) {
           if (left > 0) { return a(id, token, left - 1); }
           return db.user.update({ where: { id }, data: { token } });
         }
         export function login(id: number) { return a(id, randomUUID(), 3); }",
    );
    assert_eq!(found, ["login: fresh"]);
}

const ENTITY: &str = "import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
    @Entity('users') export class Account {
      @PrimaryGeneratedColumn() id: number;
      @Column({ nullable: true }) name: string;
      @Column({ nullable: true }) token: string;
    }";

fn service(body: &str) -> Vec<String> {
    let text = format!(
        "import {{ randomUUID }} from 'node:crypto'; import {{ Repository }} from 'typeorm'; import {{ Account }} from './account';
         export class Service {{ constructor(private accounts: Repository<Account>) {{}} {body} }}"
    );
    paths(&Tree::of(&[("src/account.ts", ENTITY), ("src/service.ts", &text)]))
}

#[test]
fn a_field_assignment_is_written_by_the_save_that_follows() {
    let found = service(
        "async login(id: number) {
           const account = await this.accounts.findOneBy({ id });
           account.token = randomUUID();
           return this.accounts.save(account);
         }
         async logout(id: number) {
           const account = await this.accounts.findOneBy({ id });
           account.token = null;
           await this.accounts.save(account);
         }",
    );
    assert_eq!(found, ["Service.login: fresh", "Service.logout: null"]);
}

#[test]
fn some_keys_of_a_row_that_nobody_in_the_tree_hands_in_were_not_read_from_it() {
    let found = service("async change(account: Partial<Account>) { return this.accounts.save(account); }");
    assert_eq!(found, ["Service.change: preserved|supplied"]);
}

#[test]
fn a_field_assignment_after_the_save_is_not_written_by_it() {
    let found = service(
        "async rename(id: number) {
           const account = await this.accounts.findOneBy({ id });
           account.name = 'x';
           await this.accounts.save(account);
           account.token = randomUUID();
         }",
    );
    assert!(!found.iter().any(|path| path.contains("fresh")), "{found:?}");
}

#[test]
fn a_row_saved_with_another_field_changed_is_no_write_of_this_one() {
    let found = service(
        "async touch(id: number) {
           const account = await this.accounts.findOneBy({ id });
           account.name = 'x';
           return this.accounts.save(account);
         }",
    );
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn values_pass_through_barrels_and_tsconfig_paths() {
    let found = paths(&Tree::of(&[
        ("src/token/make.ts", "import { randomUUID } from 'node:crypto'; export const make = () => randomUUID();"),
        ("src/token/index.ts", "export * from './make';"),
        (
            "src/app.ts",
            "import { PrismaClient } from '@prisma/client'; import { make as mint } from '@app/token'; const db = new PrismaClient();
             export function login(id: number) { return db.user.update({ where: { id }, data: { token: mint() } }); }",
        ),
    ]));
    assert_eq!(found, ["login: fresh"]);
}

#[test]
fn tracing_twice_gives_the_same() {
    let text =
        "function store(id: number, token: string) { return db.user.update({ where: { id }, data: { token } }); }
         export function a(id: number) { return store(id, null); }
         export function b(id: number) { return store(id, randomUUID()); }";
    assert_eq!(written(text), written(text));
    assert_eq!(written(text), ["a: null", "b: fresh"]);
}

#[test]
fn a_path_that_writes_on_something_unknown_misses_no_write_and_the_write_is_a_gap() {
    let tree = Tree::one(
        "const sign = (id: number) => jwt.sign({ id }, 's');
         export class Users {
           constructor(private anything: any) {}
           async store(id: number) { await db.user.update({ where: { id }, data: { token: createToken(id) } }); }
           async perhaps(id: number) { await this.anything.update({ where: { id }, data: { token: createToken(id) } }); }
           async handed(data: object) { await this.anything.update({ where: { id: 1 }, data }); }
           async never(id: number) { return createToken(id); }
         }
         function createToken(id: number) { return randomUUID(); }
         app.post('/store', (q, s) => new Users(q).store(1));
         app.post('/perhaps', (q, s) => new Users(q).perhaps(1));
         app.post('/handed', (q, s) => new Users(q).handed({ token: createToken(1) }));
         app.post('/never', (q, s) => new Users(q).never(1));",
    );
    let graph = tree.graph();
    let found = survey(&graph, &tree.schema).finish().remove(0);
    let missing: Vec<&str> = found.missing.iter().map(|missing| missing.entry.route.as_str()).collect();
    assert_eq!(missing, ["POST /never"]);
    let gaps: Vec<&str> = found.gaps.iter().map(|gap| gap.why.as_str()).collect();
    assert_eq!(gaps, ["may write users.token: what `this.anything` is could not be told"; 2]);
}

#[test]
fn an_argument_that_switches_the_mint_off_issues_nothing() {
    let tree = Tree::one(
        "function presentToken(id: number, mint = false) { return { id, token: mint ? jwt.sign({ id }, 's') : null }; }
         app.post('/login', async (q, s) => {
           const made = presentToken(q.id, true);
           await db.user.update({ where: { id: q.id }, data: { token: made.token } });
         });
         app.get('/silent', (q, s) => s.json(presentToken(q.id, true)));
         app.get('/me', (q, s) => s.json(presentToken(q.id)));
         app.get('/you', (q, s) => s.json(presentToken(q.id, false)));",
    );
    let graph = tree.graph();
    let found = survey(&graph, &tree.schema).finish().remove(0);
    let missing: Vec<&str> = found.missing.iter().map(|missing| missing.entry.route.as_str()).collect();
    assert_eq!(missing, ["GET /silent"]);
}

#[test]
fn an_option_that_is_handed_in_decides_a_condition_on_it() {
    let found = written(
        "function issue(id: number, options: { persist?: boolean } = {}) {
           const token = randomUUID();
           if (options.persist !== false) { return db.user.update({ where: { id }, data: { token } }); }
         }
         export function plain(id: number) { return issue(id); }
         export function silent(id: number) { return issue(id, { persist: false }); }
         export function asked(id: number) { return issue(id, { persist: true }); }",
    );
    assert_eq!(found, ["asked: fresh", "plain: fresh"]);
}

/// The routes of one file that issue the token and never write it.
fn silent(text: &str) -> Vec<String> {
    let tree = Tree::one(text);
    let graph = tree.graph();
    let found = survey(&graph, &tree.schema).finish().remove(0);
    found.missing.iter().map(|missing| missing.entry.route.clone()).collect()
}

#[test]
fn a_shared_write_helper_writes_only_for_who_hands_the_token_in() {
    let found = silent(
        "const sign = (id: number) => jwt.sign({ id }, 's');
         const change = (id: number, data: object) => db.user.update({ where: { id }, data });
         app.post('/mobile', async (q, s) => { const token = sign(1); await change(1, { token }); s.json({ token }); });
         app.post('/desktop', async (q, s) => { const token = sign(1); await change(1, { token }); s.json({ token }); });
         app.post('/web', async (q, s) => { const token = sign(1); await change(1, { name: 'x' }); s.json({ token }); });",
    );
    assert_eq!(found, ["POST /web"]);
}

#[test]
fn a_handler_that_signs_what_others_store_and_only_answers_with_it_has_forgotten_to() {
    let found = silent(
        "app.post('/mobile', async (q, s) => {
           const token = jwt.sign({ id: q.body.id }, 's', { expiresIn: '15m' });
           await db.user.update({ where: { id: 1 }, data: { token } });
           s.json({ token });
         });
         app.post('/kiosk', async (q, s) => { const token = jwt.sign({ id: q.body.id }, 's', { expiresIn: '15m' }); s.json({ token }); });
         app.post('/reset', async (q, s) => { const token = jwt.sign({ id: q.body.id, for: 'reset' }, 's', { expiresIn: '15m' }); s.json({ token }); });
         app.post('/mail', async (q, s) => { const token = jwt.sign({ id: q.body.id }, 's', { expiresIn: '15m' }); await mailer.send(token); s.json({ token }); });",
    );
    assert_eq!(found, ["POST /kiosk"], "of another kind, or not only answered with, it is another token");
}

#[test]
fn a_helper_that_stores_on_demand_stores_only_for_who_asks() {
    let found = silent(
        "const sign = (id: number) => jwt.sign({ id }, 's');
         async function finish(id: number, token: string, store: boolean) {
           if (store) { await db.user.update({ where: { id }, data: { token } }); }
           return token;
         }
         app.post('/mobile', (q, s) => finish(1, sign(1), true));
         app.post('/desktop', (q, s) => finish(1, sign(1), true));
         app.post('/web', (q, s) => finish(1, sign(1), false));",
    );
    assert_eq!(found, ["POST /web"]);
}

#[test]
fn a_lone_writer_tells_what_the_others_answer_with() {
    let found = silent(
        "const sign = (claims: object) => jwt.sign(claims, 's');
         const pair = (id: number) => ({ access: sign({ sub: id }), kind: 'Bearer' });
         const mail = (to: string, text: string) => mailer.deliver(to, text);
         app.post('/store', async (q, s) => {
           const made = pair(1);
           await db.user.update({ where: { id: 1 }, data: { token: made.access } });
           s.json(made);
         });
         app.post('/a', (q, s) => { s.json(pair(1)); });
         app.post('/b', (q, s) => { s.cookie('access', pair(1).access); });
         app.post('/link', (q, s) => { s.json({ url: 'https://x/?t=' + pair(1).access }); });
         app.post('/mailed', (q, s) => { const made = pair(1); mail(q.body.mail, made.access); s.json(made); });
         app.post('/forgot', (q, s) => { mail(q.body.mail, 'https://x/reset?t=' + sign({ email: q.body.mail })); });
         app.post('/discount', (q, s) => { s.json({ code: sign({ discount: true }) }); });",
    );
    assert_eq!(found, ["POST /a", "POST /b"]);
}

#[test]
fn an_access_token_out_of_the_signer_of_the_stored_refresh_token_is_another_kind() {
    let found = silent(
        "const sign = (id: number, key: string, life: string) => jwt.sign({ sub: id }, key, { expiresIn: life });
         app.post('/login', async (q, s) => {
           const access = sign(1, 'a', '5m');
           const refresh = sign(1, 'r', '30d');
           await db.user.update({ where: { id: 1 }, data: { token: refresh } });
           s.json({ access, refresh });
         });
         app.post('/refresh', (q, s) => { s.json({ access: sign(1, 'a', '5m') }); });
         app.post('/again', (q, s) => { s.json({ refresh: sign(1, 'r', '30d') }); });",
    );
    assert_eq!(found, ["POST /again"]);
}

#[test]
fn a_signer_below_two_makers_issues_what_the_maker_of_the_stored_token_makes() {
    let found = silent(
        "const sign = (claims: object, life?: string) => jwt.sign(claims, 's', { expiresIn: life });
         const access = (id: number) => sign({ sub: id }, '15m');
         const refresh = (id: number) => sign({ sub: id }, '30d');
         app.post('/login', async (q, s) => {
           const token = refresh(1);
           await db.user.update({ where: { id: 1 }, data: { token } });
           s.json({ access: access(1), token });
         });
         app.post('/refresh', (q, s) => { s.json({ access: access(1) }); });
         app.post('/again', (q, s) => { s.json({ token: refresh(1) }); });",
    );
    assert_eq!(found, ["POST /again"]);
}

#[test]
fn a_getter_gives_what_the_object_holds_that_it_is_asked_of() {
    let found = written(
        "class Account {
           private constructor(private readonly props: { id: number, token: string | null }) {}
           static of(id: number, token: string | null): Account { return new Account({ id, token }); }
           get token() { return this.props.token; }
           getProps() { return this.props; }
           change(token: string | null) { this.props.token = token; }
         }
         function store(account: Account) {
           return db.user.update({ where: { id: 1 }, data: { token: account.token } });
         }
         function keep(account: Account) {
           return db.user.update({ where: { id: 1 }, data: { token: account.getProps().token } });
         }
         export function clear() { return store(Account.of(1, null)); }
         export function issue() { const account = Account.of(1, null); account.change(randomUUID()); return store(account); }
         export function hand() { const account = Account.of(1, null); account.change(randomUUID()); return keep(account); }",
    );
    assert_eq!(found, ["clear: null", "hand: fresh", "issue: fresh"]);
}

#[test]
fn an_answer_and_a_response_whose_tokens_nobody_reads_issue_nothing() {
    let tree = Tree::one(
        "const clear = (id: number) => db.user.update({ where: { id }, data: { token: null } });
         app.post('/reset', async (req, res) => { await clear(1); res.json({ ok: true }); });
         app.post('/mail', async (req, res) => { await clear(2); await (await fetch('https://mail')).json(); });
         app.post('/token', async (req, res) => {
           await clear(3);
           const answer = await (await fetch('https://issuer')).json();
           res.json(answer.access_token);
         });",
    );
    let graph = tree.graph();
    let found = survey(&graph, &tree.schema).finish().remove(0);
    let issuing = found.sites.iter().flat_map(|site| &site.paths).filter(|path| path.issues);
    let routes: Vec<&str> = issuing.map(|path| path.entry.route.as_str()).collect();
    assert_eq!(routes, ["POST /token"]);
}
