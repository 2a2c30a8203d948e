//! A generated NestJS tree of any size, for tests on counts and for the benches.

use std::fmt::Write as _;
use std::path::Path;

/// A feature is an entity, a service, a controller and a DTO.
const FILES_PER_FEATURE: usize = 4;

/// Writes `files` TypeScript files below `root`: an account module of four files that mints and stores
/// `accounts.access_token`, and features that have entities, writes and routes of their own, load accounts, and know nothing of the
/// column. One feature in a hundred has a DTO with a property of the column's name that never reaches it.
pub(crate) fn write(root: &Path, files: usize) -> std::io::Result<()> {
    let mut left = files;
    let mut put = |path: String, text: &str| -> std::io::Result<()> {
        if left == 0 {
            return Ok(());
        }
        left -= 1;
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(root))?;
        std::fs::write(path, text)
    };
    for (name, text) in ACCOUNTS {
        put(format!("src/accounts/{name}"), text)?;
    }
    for n in 0..files.div_ceil(FILES_PER_FEATURE) {
        for (kind, text) in feature(n) {
            put(format!("src/area{}/feature{n}/feature{n}.{kind}.ts", n / 50), &text)?;
        }
    }
    Ok(())
}

const ACCOUNTS: [(&str, &str); 4] = [
    (
        "account.entity.ts",
        "import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';\n\n\
         @Entity('accounts')\nexport class Account {\n  @PrimaryGeneratedColumn()\n  id!: number;\n\n\
         \x20 @Column({ name: 'access_token', type: 'text', nullable: true })\n  accessToken!: string | null;\n}\n",
    ),
    (
        "accounts.service.ts",
        "import { Injectable } from '@nestjs/common';\nimport { InjectRepository } from '@nestjs/typeorm';\n\
         import { Repository } from 'typeorm';\nimport { Account } from './account.entity';\n\n\
         @Injectable()\nexport class AccountsService {\n\
         \x20 constructor(@InjectRepository(Account) private readonly accounts: Repository<Account>) {}\n\n\
         \x20 load(id: number): Promise<Account> {\n    return this.accounts.findOneByOrFail({ id });\n  }\n\n\
         \x20 async storeAccessToken(id: number, accessToken: string): Promise<void> {\n\
         \x20   await this.accounts.update({ id }, { accessToken });\n  }\n}\n",
    ),
    (
        "login.service.ts",
        "import { Injectable } from '@nestjs/common';\nimport { JwtService } from '@nestjs/jwt';\n\
         import { AccountsService } from './accounts.service';\n\n\
         @Injectable()\nexport class LoginService {\n  constructor(\n\
         \x20   private readonly accountsService: AccountsService,\n    private readonly jwtService: JwtService,\n  ) {}\n\n\
         \x20 async login(id: number): Promise<string> {\n\
         \x20   const accessToken = await this.jwtService.signAsync({ sub: id });\n\
         \x20   await this.accountsService.storeAccessToken(id, accessToken);\n    return accessToken;\n  }\n}\n",
    ),
    (
        "login.controller.ts",
        "import { Body, Controller, Post } from '@nestjs/common';\nimport { LoginService } from './login.service';\n\n\
         @Controller('login')\nexport class LoginController {\n\
         \x20 constructor(private readonly loginService: LoginService) {}\n\n\
         \x20 @Post()\n  login(@Body('id') id: number): Promise<string> {\n\
         \x20   return this.loginService.login(id);\n  }\n}\n",
    ),
];

fn feature(n: usize) -> [(&'static str, String); FILES_PER_FEATURE] {
    let entity = format!(
        "import {{ Column, Entity, PrimaryGeneratedColumn }} from 'typeorm';\n\n\
         @Entity('feature{n}')\nexport class Feature{n} {{\n  @PrimaryGeneratedColumn()\n  id!: number;\n\n\
         \x20 @Column({{ type: 'text' }})\n  title!: string;\n\n\
         \x20 @Column({{ name: 'owner_id' }})\n  ownerId!: number;\n}}\n"
    );
    let mut service = format!(
        "import {{ Injectable }} from '@nestjs/common';\nimport {{ InjectRepository }} from '@nestjs/typeorm';\n\
         import {{ Repository }} from 'typeorm';\nimport {{ AccountsService }} from '../../accounts/accounts.service';\n\
         import {{ Feature{n} }} from './feature{n}.entity';\nimport type {{ Feature{n}Dto }} from './feature{n}.dto';\n\n\
         @Injectable()\nexport class Feature{n}Service {{\n  constructor(\n\
         \x20   @InjectRepository(Feature{n}) private readonly rows: Repository<Feature{n}>,\n\
         \x20   private readonly accountsService: AccountsService,\n  ) {{}}\n\n\
         \x20 async create(body: Feature{n}Dto): Promise<Feature{n}> {{\n\
         \x20   const owner = await this.accountsService.load(body.ownerId);\n\
         \x20   return this.rows.save(this.rows.create({{ title: body.title, ownerId: owner.id }}));\n  }}\n"
    );
    // Code as a service has it, so that a file weighs what files weigh.
    for rule in 0..20 {
        let _ = write!(
            service,
            "\n  /** Rule {rule} of this feature: titles are cut, trimmed and counted before anybody sees them. */\n\
             \x20 rule{rule}(titles: string[], limit = {rule}): string[] {{\n\
             \x20   const kept = titles.map((title) => title.trim()).filter((title) => title.length > limit);\n\
             \x20   if (kept.length === 0) {{\n      return [`nothing left of ${{titles.length}}`];\n    }}\n\
             \x20   return kept.map((title, at) => `${{at}}: ${{title.slice(0, 80)}}`);\n  }}\n"
        );
    }
    service.push_str("}\n");
    let controller = format!(
        "import {{ Body, Controller, Post }} from '@nestjs/common';\nimport {{ Feature{n}Dto }} from './feature{n}.dto';\n\
         import {{ Feature{n}Service }} from './feature{n}.service';\n\n\
         @Controller('feature{n}')\nexport class Feature{n}Controller {{\n\
         \x20 constructor(private readonly service: Feature{n}Service) {{}}\n\n\
         \x20 @Post()\n  async create(@Body() body: Feature{n}Dto): Promise<number> {{\n\
         \x20   const row = await this.service.create(body);\n    return row.id;\n  }}\n}}\n"
    );
    let extra = if n % 100 == 99 { "  accessToken?: string;\n" } else { "" };
    let dto = format!("export class Feature{n}Dto {{\n  title!: string;\n  ownerId!: number;\n{extra}}}\n");
    [("entity", entity), ("service", service), ("controller", controller), ("dto", dto)]
}
