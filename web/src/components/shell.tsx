import { Button, Menu } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import {
  IconChevronDown,
  IconDeviceDesktopCheck,
  IconLogout,
  IconMenu2,
  IconUser,
} from '@tabler/icons-react';
import { Suspense } from 'react';
import { Link, NavLink, Outlet, useLocation, useNavigate } from 'react-router';
import { useMe } from '../api/me';
import { nativeClientQuery } from '../api/native';
import { useNewAlerts } from '../api/notifications';
import { useSignOut } from '../api/queries';
import { Bell } from './bell';
import { ColorSchemeMenu } from './color-scheme';
import { HealthNotice } from './health-notice';
import { Logo } from './logo';
import { PageLoading } from './states';
import classes from './shell.module.css';

/** A page in the bar; without `can` it is for everybody, else for those who have that permission. */
interface Page {
  to: string;
  label: string;
  can?: string;
}

const pages: Page[] = [
  { to: '/targets', label: 'Targets' },
  { to: '/access', label: 'My access' },
  { to: '/requests', label: 'Requests', can: 'approve_access' },
  { to: '/wall', label: 'Wall', can: 'view_live' },
  { to: '/sessions', label: 'Sessions' },
  { to: '/recordings', label: 'Recordings' },
  { to: '/alerts', label: 'Alerts', can: 'read_alerts' },
];

/** The pages below "Administration". */
const administration: Page[] = [
  { to: '/users', label: 'Users', can: 'manage_users' },
  { to: '/groups', label: 'Groups', can: 'manage_users' },
  { to: '/policies', label: 'Policies', can: 'manage_policies' },
  { to: '/rules', label: 'Rules', can: 'read_rules' },
  { to: '/audit', label: 'Audit log', can: 'read_audit' },
  { to: '/access-report', label: 'Access report', can: 'read_audit' },
  { to: '/system', label: 'System', can: 'manage_system' },
];

/** The frame around every page but the desktop itself. */
export function Shell() {
  const me = useMe();
  return (
    <div className={classes.shell}>
      <a className={classes.skip} href="#content">
        Skip to the content
      </a>
      <header className={classes.header}>
        <div className={classes.bar}>
          <Link to="/targets" className={classes.brand} aria-label="Vitrine">
            <Logo />
            <span className={classes.brandName}>Vitrine</span>
          </Link>
          <nav className={classes.nav} aria-label="Main">
            {allowed(pages, me.permissions).map(({ to, label }) => (
              <NavLink key={to} to={to} className={classes.link ?? ''}>
                {label}
                {to === '/alerts' && <NewAlerts />}
              </NavLink>
            ))}
            <AdministrationMenu />
          </nav>
          <NarrowMenu />
          <div className={classes.side}>
            <Bell />
            <ColorSchemeMenu />
            <UserMenu />
          </div>
        </div>
      </header>
      <HealthNotice />
      <main id="content" className={classes.main} tabIndex={-1}>
        <Suspense fallback={<PageLoading />}>
          <Outlet />
        </Suspense>
      </main>
    </div>
  );
}

/** How many alerts are new that one may see. */
function NewAlerts() {
  const n = useNewAlerts();
  if (n === 0) return null;
  return (
    <span className={classes.count} aria-label={`${n > 99 ? 'more than 99' : n} new`}>
      {n > 99 ? '99+' : n}
    </span>
  );
}

function allowed(list: Page[], permissions: string[]): Page[] {
  return list.filter(({ can }) => !can || permissions.includes(can));
}

/** What the bar holds, where it is too narrow for it. */
function NarrowMenu() {
  const { permissions } = useMe();
  const { pathname } = useLocation();
  const main = allowed(pages, permissions);
  const more = allowed(administration, permissions);
  const here = [...main, ...more].find(({ to }) => pathname.startsWith(to));
  const item = ({ to, label }: Page) => (
    <Menu.Item key={to} component={NavLink} to={to}>
      {label}
      {to === '/alerts' && <NewAlerts />}
    </Menu.Item>
  );
  return (
    <div className={classes.narrow}>
      <Menu position="bottom-start" width={220}>
        <Menu.Target>
          <button type="button" className={`${classes.link} ${classes.menu}`} aria-label="Pages">
            <IconMenu2 size={18} stroke={1.6} aria-hidden="true" /> {here?.label}
          </button>
        </Menu.Target>
        <Menu.Dropdown>
          {main.map(item)}
          {more.length > 0 && <Menu.Label>Administration</Menu.Label>}
          {more.map(item)}
        </Menu.Dropdown>
      </Menu>
    </div>
  );
}

function AdministrationMenu() {
  const { permissions } = useMe();
  const { pathname } = useLocation();
  const shown = allowed(administration, permissions);
  if (shown.length === 0) return null;
  const here = shown.some(({ to }) => pathname.startsWith(to));
  return (
    <Menu position="bottom-start" width={200}>
      <Menu.Target>
        <button
          type="button"
          className={`${classes.link} ${classes.menu}`}
          aria-current={here ? 'page' : undefined}
        >
          Administration <IconChevronDown size={14} aria-hidden="true" />
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        {shown.map(({ to, label }) => (
          <Menu.Item key={to} component={NavLink} to={to}>
            {label}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function UserMenu() {
  const me = useMe();
  const signOut = useSignOut();
  const { data: native } = useQuery(nativeClientQuery);
  const navigate = useNavigate();
  return (
    <Menu position="bottom-end" width={200}>
      <Menu.Target>
        <Button
          variant="subtle"
          color="gray"
          size="sm"
          px={10}
          rightSection={<IconChevronDown size={14} />}
          aria-label={`Account: ${me.username}`}
        >
          {me.username}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>Signed in as {me.username}</Menu.Label>
        <Menu.Item component={Link} to="/account" leftSection={<IconUser size={16} stroke={1.6} />}>
          My account
        </Menu.Item>
        {native?.enabled && (
          <Menu.Item
            component={Link}
            to="/native-sign-in"
            leftSection={<IconDeviceDesktopCheck size={16} stroke={1.6} />}
          >
            Approve a sign-in
          </Menu.Item>
        )}
        <Menu.Item
          leftSection={<IconLogout size={16} stroke={1.6} />}
          onClick={() => signOut.mutate(undefined, { onSettled: () => void navigate('/sign-in') })}
        >
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
